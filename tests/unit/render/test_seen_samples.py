"""Samples that a lattice calls seen: a ball's, by hand; the compiled form equals torch's."""

from __future__ import annotations

import pytest
import torch

from triptych.render import seen_samples as module
from triptych.render.distance_lattice import DistanceLattice, lattice_points
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import Rays
from triptych.render.seen_samples import seen_samples

RADIUS, LEAST, ERROR = 0.3, 1e-3, 0.01


def _ball():
    points = lattice_points(1.0, 33, "cpu")
    return DistanceLattice((points.norm(dim=1) - RADIUS).reshape(33, 33, 33), 1.0)


def _rays(count=200):
    rng = torch.Generator().manual_seed(0)
    across = torch.rand(1, count, 2, generator=rng) - 0.5
    origins = torch.cat([across, torch.ones(1, count, 1)], dim=-1)
    directions = torch.tensor([0.0, 0.0, -1.0]).expand_as(origins)
    return Rays(origins, directions), torch.linspace(0.4, 1.6, 49).expand(1, count, -1)


def test_of_a_ray_through_a_ball_the_samples_at_its_front_are_seen():
    _, depths = _rays(1)
    ray = Rays(torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
    rule = SdfRule(0.002, "ignored")
    seen = seen_samples(_ball(), rule, ray, depths, error=0.0, least=LEAST)[0, 0]
    front = depths[0, 0][seen]
    assert 1 <= len(front) <= 3
    assert float((front - (1 - RADIUS)).abs().max()) < 2 * 1.2 / 48
    cut = seen_samples(_ball(), rule, ray, depths, error=0.0, least=LEAST, may_be_cut=True)[0, 0]
    inside = (depths[0, 0] - 1).abs() < RADIUS - 0.01
    assert bool(cut[inside].all()), "what hides them may be cut away"


@pytest.mark.parametrize("beta", [0.004, torch.tensor([0.03])])
@pytest.mark.parametrize("last_sample", ["ignored", "endless"])
@pytest.mark.parametrize("may_be_cut", [False, True])
def test_the_compiled_form_marks_what_torch_does(beta, last_sample, may_be_cut, monkeypatch):
    rays, depths = _rays()
    rule, lattice = SdfRule(beta, last_sample, torch.full((200, 1), 1e10)), _ball()
    settings = {"error": ERROR, "least": LEAST, "may_be_cut": may_be_cut}
    found = seen_samples(lattice, rule, rays, depths, **settings)
    monkeypatch.setattr(module, "in_cpu_memory", lambda tensor: False)
    expected = seen_samples(lattice, rule, rays, depths, **settings)
    assert 0 < float(expected.float().mean()) < 1
    about = lattice.at(rays.points(depths).reshape(-1, 3)).reshape(depths.shape)
    if may_be_cut:
        weights = rule.opacities(about - ERROR, depths)
    else:
        weights = rule.most_weights(about, depths, ERROR)
    clear = (weights / LEAST - 1).abs() > 1e-3  # rounding decides about the others
    assert float(clear.float().mean()) > 0.99
    assert torch.equal(found[clear], expected[clear])


def test_where_no_density_is_enough_only_the_endless_last_sample_is_seen():
    rays, depths = _rays()
    soft = SdfRule(1e4, "endless")
    seen = seen_samples(_ball(), soft, rays, depths, error=0.0, least=LEAST)
    assert not bool(seen[..., :-1].any())
    assert bool(seen[..., -1].all())
