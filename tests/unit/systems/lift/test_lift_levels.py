"""Levels of planes: what they add up to, which of them learn, and how far a step goes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_portraits import tiny_portrait

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
            levels.step((levels.planes() * slopes).sum(), 1.0)
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
