"""Levels of planes: what they add up to, which of them learn, and how far a step goes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_portraits import tiny_portrait

from triptych.systems.lift.damped_adam import DampedAdam
from triptych.systems.lift.levels import PlaneLevels
from triptych.systems.lift.settings import LiftSettings

RATE = 0.5


def levels_of(planes: torch.Tensor | None = None, **settings: object) -> PlaneLevels:
    avatar = tiny_portrait()
    planes = torch.zeros_like(avatar.planes) if planes is None else planes
    chosen = LiftSettings(plane_sizes=(8, 16), plane_rates=(RATE, RATE), **settings)
    return PlaneLevels(dataclasses.replace(avatar, planes=planes), chosen)


def learn(levels: PlaneLevels, slopes: torch.Tensor, steps: int) -> torch.Tensor:
    """Go down constant slopes [h, h] of all planes; return the planes [h, h] of one channel."""
    levels.begin()
    for _ in range(steps):
        with torch.enable_grad():
            planes = levels.planes()
            levels.step(planes, (planes * slopes).sum(), 1.0)
    return levels.planes()[0, 0, 0].detach()


def test_levels_out_of_use_do_not_learn():
    levels = levels_of()
    levels.use(1)
    assert levels.planes().shape[-1] == levels.size == 8
    coarse = learn(levels, torch.ones(8, 8), 1)
    levels.use(levels.number)
    assert levels.planes().shape[-1] == levels.size == 16
    assert torch.allclose(coarse, torch.tensor(-RATE))
    assert torch.allclose(levels.planes()[0, 0, 0], torch.tensor(-RATE))


def test_the_base_keeps_nothing_finer_than_it_should():
    avatar = tiny_portrait()
    size = avatar.planes.shape[-1]
    checks = (torch.arange(size)[:, None] + torch.arange(size)) % 2 * 2.0 - 1
    planes = (3.0 + checks).expand_as(avatar.planes)
    base = levels_of(planes, base_size=size // 2).planes()
    assert torch.allclose(base, torch.tensor(3.0))


@pytest.mark.parametrize(("damping", "least", "most"), [(0.0, 0.99, 1.0), (1.0, 0.0, 0.1)])
def test_damping_keeps_places_of_small_gradients_where_they_are(damping, least, most):
    slopes = torch.ones(16, 16)
    slopes[:, 8:] = 0.01
    levels = levels_of(damping=damping)
    learn(levels, slopes, 1)  # the first step has no gradients to compare with
    before = levels.planes()[0, 0, 0].detach()
    moved = (learn(levels, slopes, 10) - before).abs()
    ratio = float(moved[:, 12:].mean() / moved[:, :4].mean())
    assert least <= ratio <= most


def test_steps_are_adams_with_an_epsilon_of_the_gradients_size():
    """Algorithm 1 of Adam by hand, for gradients of two steps."""
    gradients = torch.tensor([[1.0, -0.1], [3.0, 0.2]])
    tensor = torch.zeros(2)
    optimiser = DampedAdam([tensor], [0.5], damping=0.7, keep=0.0)
    expected, first, second = torch.zeros(2), torch.zeros(2), torch.zeros(2)
    epsilon = 1e-8
    for count, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient.square()
        unbiased = second / (1 - 0.99**count)
        expected -= 0.5 * first / (1 - 0.9**count) / (unbiased.sqrt() + epsilon)
        epsilon = 0.7 * float(unbiased.mean().sqrt()) + 1e-8
        tensor.grad = gradient.clone()
        optimiser.step(1.0)
        assert torch.allclose(tensor, expected, atol=1e-6)
        assert tensor.grad is None


def test_a_level_learns_by_what_its_places_add_to_the_planes():
    """The gradient by hand equals the one of autograd through the sum of the levels."""
    levels = levels_of(damping=0.0)
    slopes = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    coarse = torch.zeros(1, 1, 8, 8, requires_grad=True)
    fine = torch.nn.functional.interpolate(coarse, size=16, mode="bilinear", align_corners=False)
    (fine * slopes).sum().backward()
    learn(levels, slopes, 1)
    levels.use(1)  # Adam's first step is the rate against the sign of each gradient
    moved = levels.planes()[0, 0, 0]
    sure = coarse.grad[0, 0].abs() > 1e-4
    assert torch.allclose(moved[sure], -RATE * coarse.grad[0, 0].sign()[sure], atol=1e-3)
