"""CNeRF's rule on signed distances, and what a rule asks of a field."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from two_balls import SDF, TwoBalls, two_balls_rendering

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.render.marcher import march
from triptych.render.marching_rules import MidpointRule, SdfRule
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, render_rays

# Distances 0.1, 0, -0.1 at depths 1, 1.5, 2: densities 10 * sigmoid(-1), 5 and 10 * sigmoid(1).
DISTANCES, DEPTHS = torch.tensor([[[0.1, 0.0, -0.1]]]), torch.tensor([[[1.0, 1.5, 2.0]]])
FIRST = 1 - math.exp(-10 / (1 + math.e) * 0.5)
SECOND = (1 - FIRST) * (1 - math.exp(-5 * 0.5))
REST = 1 - FIRST - SECOND


def test_an_endless_last_sample_takes_all_that_is_left_and_is_no_part_of_alpha():
    weighed = SdfRule(beta=0.1).weigh(DISTANCES, DEPTHS)
    torch.testing.assert_close(weighed.samples[0, 0], torch.tensor([FIRST, SECOND, REST]))
    assert weighed.total.item() == pytest.approx(1.0)
    assert weighed.alpha.item() == pytest.approx(FIRST + SECOND)


def test_an_ignored_last_sample_leaves_rays_transparent():
    weighed = SdfRule(beta=0.1, last_sample="ignored").weigh(DISTANCES, DEPTHS)
    torch.testing.assert_close(weighed.samples[0, 0], torch.tensor([FIRST, SECOND, 0.0]))
    assert weighed.total.item() == weighed.alpha.item() == pytest.approx(FIRST + SECOND)


@pytest.mark.parametrize("last_sample", ["endless", "ignored"])
def test_interval_weights_are_those_of_the_samples_before(last_sample):
    rule = SdfRule(beta=0.1, last_sample=last_sample)
    torch.testing.assert_close(
        rule.interval_weights(DISTANCES, DEPTHS)[0, 0], torch.tensor([FIRST, SECOND])
    )


def test_a_learned_beta_gets_its_gradient():
    beta = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda b: SdfRule(b).weigh(DISTANCES.double(), DEPTHS.double()).samples, (beta,)
    )


def test_features_regions_and_depth_are_taken_at_the_samples():
    features = torch.tensor([1.0, 2.0, 4.0]).reshape(1, 1, 3, 1)
    regions = torch.eye(3).reshape(1, 1, 3, 3)
    marched = march(
        features, DISTANCES[..., None], DEPTHS[..., None], SdfRule(beta=0.1), regions=regions
    )
    assert marched.features.item() == pytest.approx(FIRST + 2 * SECOND + 4 * REST)
    assert marched.depth.item() == pytest.approx(FIRST + 1.5 * SECOND + 2 * REST)
    assert marched.regions.flatten().tolist() == pytest.approx([FIRST, SECOND, REST])


def test_regions_are_composited_like_features_by_the_midpoint_rule():
    rng = torch.Generator().manual_seed(2)
    values = torch.rand(1, 4, 7, 3, generator=rng)
    geometry, depths = torch.randn(2, 1, 4, 7, 1, generator=rng)
    marched = march(values, geometry, depths, MidpointRule(), regions=values)
    assert torch.equal(marched.regions, marched.features)


@pytest.mark.parametrize("beta", [0.002, 0.1])
def test_occupied_space_has_the_density_that_was_asked_for(beta):
    lowest = SdfRule(beta=beta).lowest_occupied(0.02)
    assert 1 / (1 + math.exp(-lowest / beta)) / beta == pytest.approx(0.02, rel=1e-6)


def test_surfaces_too_soft_for_a_density_are_nowhere():
    assert SdfRule(beta=60.0).lowest_occupied(0.02) == math.inf


@pytest.mark.parametrize("beta", [0.0, -0.1, math.nan])
def test_impossible_softness_is_refused(beta):
    with pytest.raises(UserError, match="SdfRule.beta: got .*; expected a (finite )?number"):
        SdfRule(beta=beta)


@pytest.mark.parametrize("kind", ["density", "sdf"])
def test_a_rule_wants_its_geometry(kind):
    other = two_balls_rendering("sdf" if kind == "density" else "density")
    ray = Rays(torch.tensor([[[0.0, 0.0, 2.7]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
    with pytest.raises(UserError, match=f"geometry is {kind}, the marching rule needs"):
        render_rays(TwoBalls(kind), ray, other)


def test_the_rule_is_part_of_the_configuration():
    config = replace(RenderConfig(), sdf=SDF)
    assert from_dict(RenderConfig, to_dict(config)) == config
    assert config.rule == SDF
    assert RenderConfig(density_gain=30.0).rule == MidpointRule(30.0)
