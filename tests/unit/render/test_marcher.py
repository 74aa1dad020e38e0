from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from triptych.render.marcher import march
from triptych.render.marching_rules import MidpointRule

EG3D = MidpointRule()


def raw(density: float) -> float:
    """Return the raw value whose activation softplus(x - 1) is `density`."""
    return math.log(math.expm1(density)) + 1


@pytest.mark.parametrize("gain", [1.0, 30.0])
def test_constant_density_hides_by_beers_law(gain):
    depths = torch.linspace(2, 3.5, 40)[None, None]
    densities = torch.full((1, 1, 40), raw(0.06))
    weights = MidpointRule(gain).interval_weights(densities, depths)
    assert weights.sum().item() == pytest.approx(1 - math.exp(-0.06 * gain * 1.5), abs=1e-5)


def test_two_slabs():
    """Two intervals of density 1 and 2, length 1 each, with an empty one between."""
    one, two, none = raw(1.0), raw(2.0), -1e4
    # Interval means: (a + b) / 2 of raw values, so each slab has two equal ends.
    depths = torch.tensor([[[0.0, 1.0, 1.0, 2.0, 2.0, 3.0]]])
    densities = torch.tensor([[[one, one, none, none, two, two]]])
    weights = EG3D.interval_weights(densities, depths)[0, 0]
    first = 1 - math.exp(-1)
    second = math.exp(-1) * (1 - math.exp(-2))
    torch.testing.assert_close(weights, torch.tensor([first, 0, 0, 0, second]), atol=1e-6, rtol=0)


def test_weights_and_transmittance_sum_to_one():
    rng = torch.Generator().manual_seed(11)
    depths = torch.rand(2, 5, 12, generator=rng).sort(dim=-1).values
    densities = torch.randn(2, 5, 12, generator=rng) * 3
    weights = EG3D.interval_weights(densities, depths)
    middle = F.softplus((densities[..., 1:] + densities[..., :-1]) / 2 - 1)
    optical_depth = (middle * (depths[..., 1:] - depths[..., :-1])).sum(dim=-1)
    torch.testing.assert_close(weights.sum(dim=-1) + torch.exp(-optical_depth), torch.ones(2, 5))


def random_samples():
    rng = torch.Generator().manual_seed(12)
    depths = torch.rand(2, 3, 9, 1, generator=rng).sort(dim=2).values
    return torch.rand(2, 3, 9, 4, generator=rng), torch.randn(2, 3, 9, 1, generator=rng), depths


def test_features_and_depth_are_taken_at_interval_middles():
    features, densities, depths = random_samples()
    marched = march(features, densities, depths, EG3D)
    weights = EG3D.interval_weights(densities[..., 0], depths[..., 0])[..., None]
    middle = (features[:, :, 1:] + features[:, :, :-1]) / 2
    torch.testing.assert_close(marched.features, (weights * middle).sum(dim=2))
    middle_depth = (depths[:, :, 1:] + depths[:, :, :-1]) / 2
    expected = (weights * middle_depth).sum(dim=2) / weights.sum(dim=2)
    torch.testing.assert_close(marched.depth, expected)
    torch.testing.assert_close(marched.alpha, weights.sum(dim=2))


def test_samples_may_come_in_any_order():
    features, densities, depths = random_samples()
    shuffle = torch.tensor([3, 0, 8, 5, 1, 7, 2, 6, 4])
    marched = march(features, densities, depths, EG3D)
    shuffled = march(features[:, :, shuffle], densities[:, :, shuffle], depths[:, :, shuffle], EG3D)
    torch.testing.assert_close(shuffled.features, marched.features)
    torch.testing.assert_close(shuffled.depth, marched.depth)
    torch.testing.assert_close(shuffled.alpha, marched.alpha)
    known = march(
        features[:, :, shuffle],
        densities[:, :, shuffle],
        depths[:, :, shuffle],
        EG3D,
        order=shuffle.argsort().expand(2, 3, 9),
    )
    assert torch.equal(known.features, shuffled.features)


def test_nothing_seen_has_infinite_depth_and_finite_gradients():
    densities = torch.full((1, 1, 4, 1), -1e4, requires_grad=True)
    depths = torch.linspace(1, 2, 4).reshape(1, 1, 4, 1)
    marched = march(torch.ones(1, 1, 4, 3), densities, depths, EG3D)
    assert marched.depth.item() == math.inf
    assert marched.alpha.item() == 0
    marched.features.sum().backward()
    assert torch.isfinite(densities.grad).all()


def test_gradients_in_float64():
    features, densities, depths = (t[:1, :1].double() for t in random_samples())
    densities.requires_grad_()
    features.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda f, d: (march(f, d, depths, EG3D).features, march(f, d, depths, EG3D).depth),
        (features, densities),
    )
