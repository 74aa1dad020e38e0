"""Samples gather where the surface of a known ball is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_portraits import SPHERE_RADIUS

from triptych.camera import frontal_camera
from triptych.errors import UserError
from triptych.render.rays import Rays, camera_rays
from triptych.render.surface_depths import surface_depths


@pytest.fixture
def through_the_middle() -> Rays:
    rays = camera_rays(frontal_camera(), 16)
    return Rays(rays.origins[:, 136:137], rays.directions[:, 136:137])


@pytest.mark.parametrize(("keep_every", "kept"), [(2, 8), (4, 4)])
def test_some_spread_samples_and_all_close_ones_are_kept(
    ball, through_the_middle, keep_every, kept
):
    config = ball.config.rendering
    jitter, uniform = torch.full((1, 1, 15), 0.5), torch.linspace(0, 1, 9).view(1, 1, -1)
    depths = surface_depths(
        ball.field, through_the_middle, config, jitter, uniform, keep_every=keep_every
    )
    assert depths.shape == (1, 1, kept + 9)
    assert bool((depths.diff(dim=-1) >= 0).all())
    # Seven tenths of the samples round the surface lie within two bins of the ball's front.
    front = 2.7 - SPHERE_RADIUS
    near = ((depths - front).abs() < 0.15).sum()
    assert int(near) >= 7


def test_automatic_limits_are_refused(ball, through_the_middle):
    config = replace(ball.config.rendering, ray_start="auto", ray_end="auto")
    numbers = torch.zeros(1, 1, 6)
    with pytest.raises(UserError, match="fixed ray limits"):
        surface_depths(ball.field, through_the_middle, config, numbers, numbers)
