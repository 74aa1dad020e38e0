"""Patches of rays."""

from __future__ import annotations

import torch

from triptych.camera import frontal_camera
from triptych.render.patches import corner_round, draw_patches, rays_of
from triptych.render.rays import camera_rays


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_patch_as_large_as_the_picture_is_the_picture():
    pixels, side = draw_patches(2, 4, 8, (1, 2), _generator())
    assert side == 4
    assert torch.equal(pixels, torch.arange(16).expand(2, -1))


def test_patches_are_squares_with_one_stride():
    pixels, side = draw_patches(50, 16, 4, (1, 3), _generator())
    rows, columns = pixels // 16, pixels % 16
    strides = set()
    for row, column in zip(rows.view(-1, side, side), columns.view(-1, side, side), strict=True):
        steps = torch.cat([row.diff(dim=0).flatten(), column.diff(dim=1).flatten()])
        assert len(steps.unique()) == 1
        assert row.diff(dim=1).eq(0).all()
        strides.add(int(steps[0]))
    assert strides == {1, 3}
    assert pixels.min() >= 0
    assert pixels.max() < 256
    assert len(pixels[:, 0].unique()) > 10


def test_borders_are_drawn_almost_as_often_as_the_middle():
    pixels, _ = draw_patches(4000, 32, 8, (1, 2), _generator())
    rows = torch.bincount(pixels.flatten() // 32, minlength=32)
    assert rows[[0, 31]].min() > rows[12:20].float().mean() / 3


def test_patch_round_a_pixel_stays_inside():
    assert corner_round(0, 5, 16) == 0
    assert corner_round(8, 5, 16) == 6
    assert corner_round(15, 5, 16) == 11


def test_strides_that_do_not_fit_are_not_drawn():
    pixels, side = draw_patches(20, 8, 4, (1, 4), _generator())
    assert pixels.view(-1, side, side).diff(dim=2).eq(1).all()


def test_rays_of_pixels():
    rays = camera_rays(frontal_camera(), 4)
    pixels = torch.tensor([[5, 0, 15]])
    chosen = rays_of(rays, pixels)
    assert torch.equal(chosen.directions, rays.directions[:, [5, 0, 15]])
    assert torch.equal(chosen.origins, rays.origins[:, [5, 0, 15]])
