"""Re-projection on a textured plane whose depth is known at every pixel."""

from __future__ import annotations

import math

import torch

from triptych.camera import Camera, frontal_camera, look_at_camera, orbit
from triptych.metrics.reprojection import (
    PosedViews,
    nearest_neighbours,
    reprojection_error,
    view_consistency_error,
)
from triptych.render.rays import camera_rays

SIZE = 48


def _plane_views(camera: Camera, *, height: float = 0.0, screen_noise: float = 0.0) -> PosedViews:
    """Views of the plane z = height, painted with smooth waves fixed to the plane."""
    rays = camera_rays(camera, SIZE)
    distance = (height - rays.origins[..., 2]) / rays.directions[..., 2]
    points = rays.origins + rays.directions * distance[..., None]
    x, y = points[..., 0], points[..., 1]
    waves = torch.stack([(9 * x).sin(), (7 * y).cos(), (5 * (x + y)).sin()], dim=1)
    image = 0.8 * waves.view(len(camera), 3, SIZE, SIZE)
    if screen_noise:
        generator = torch.Generator().manual_seed(0)
        image = image + screen_noise * torch.randn(image.shape, generator=generator)
    depth = distance.view(len(camera), 1, SIZE, SIZE)
    return PosedViews(image, depth, torch.ones_like(depth), camera)


def test_a_consistent_plane_has_next_to_no_error() -> None:
    first, second = _plane_views(frontal_camera()), _plane_views(look_at_camera(0.2, 0.1))
    assert float(reprojection_error(first, first)) < 1e-6
    # What is left is the bilinear look-up of waves some 20 pixels long.
    assert float(reprojection_error(first, second)) < 5e-3


def test_a_constant_colour_difference_is_measured_exactly() -> None:
    first, second = _plane_views(frontal_camera()), _plane_views(look_at_camera(0.2, 0.0))
    grey = PosedViews(torch.zeros_like(first.image), first.depth, first.alpha, first.camera)
    bright = PosedViews(
        torch.full_like(second.image, 0.5), second.depth, second.alpha, second.camera
    )
    # 0.5 of a range of 2 is a quarter.
    torch.testing.assert_close(reprojection_error(grey, bright), torch.tensor([0.25]))


def test_a_wrong_depth_and_paint_on_the_screen_both_raise_the_error() -> None:
    right = view_consistency_error(_plane_views(orbit(3, (-0.3, 0.3))))
    on_screen = view_consistency_error(_plane_views(orbit(3, (-0.3, 0.3)), screen_noise=0.2))
    assert on_screen > 10 * right
    first, second = _plane_views(frontal_camera()), _plane_views(look_at_camera(0.3, 0.0))
    shallow = PosedViews(first.image, first.depth - 0.1, first.alpha, first.camera)
    wrong = reprojection_error(shallow, second, tolerance=1.0)
    assert float(wrong) > 5 * float(reprojection_error(first, second, tolerance=1.0))


def test_hidden_transparent_and_outside_points_are_left_out() -> None:
    first, second = _plane_views(frontal_camera()), _plane_views(look_at_camera(0.2, 0.0))
    hidden = PosedViews(second.image, second.depth - 0.5, second.alpha, second.camera)
    assert math.isnan(float(reprojection_error(first, hidden)))
    clear = PosedViews(second.image, second.depth, torch.zeros_like(second.alpha), second.camera)
    assert math.isnan(float(reprojection_error(first, clear)))
    assert math.isnan(float(reprojection_error(clear, first)))
    behind = look_at_camera(math.pi, 0.0)
    away = PosedViews(second.image, second.depth, second.alpha, behind)
    assert math.isnan(float(reprojection_error(first, away, tolerance=1e-4)))


def test_each_view_is_compared_with_its_nearest_neighbour() -> None:
    camera = look_at_camera(torch.tensor([-0.5, -0.4, 0.0, 0.3]), torch.zeros(4))
    assert nearest_neighbours(camera).tolist() == [1, 0, 3, 2]
