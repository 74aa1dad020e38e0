"""View consistency: does a surface point look the same from neighbouring cameras?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.render.rays import camera_rays

# A pixel counts as surface only where it is nearly opaque, so that soft edges are left out.
_OPAQUE = 0.9


@dataclass(frozen=True)
class PosedViews:
    """Pictures with the surface they show and the cameras they were taken with.

    Attributes:
        image: Pictures [v, 3, h, h] in [-1, 1].
        depth: Distance along the unit ray [v, 1, h, h].
        alpha: Coverage [v, 1, h, h] in [0, 1].
        camera: Cameras of the v views.
    """

    image: Tensor
    depth: Tensor
    alpha: Tensor
    camera: Camera

    def __getitem__(self, index: Tensor) -> PosedViews:
        """Select views."""
        return PosedViews(
            self.image[index], self.depth[index], self.alpha[index], self.camera[index]
        )


def reprojection_error(first: PosedViews, second: PosedViews, *, tolerance: float = 0.02) -> Tensor:
    """Carry the second pictures over to the first cameras and compare where both see the surface.

    Args:
        first: Views to compare in.
        second: Views whose colours are looked up; view i is paired with view i of `first`.
        tolerance: Largest difference between a point's distance and the second depth, in world
            units, at which the point counts as seen rather than hidden.

    Returns:
        Mean absolute difference [v] of colours, as a fraction of the colour range; nan where no
        point is seen by both.
    """
    views, _, height, width = first.image.shape
    rays = camera_rays(first.camera, height)
    points = rays.origins + rays.directions * first.depth.flatten(2).transpose(1, 2)
    place, axial = second.camera.project(points)
    grid = (2 * place - 1).view(views, height, width, 2)

    def seen_by_second(values: Tensor, mode: str) -> Tensor:
        return functional.grid_sample(
            values, grid, mode=mode, padding_mode="border", align_corners=False
        )

    distance = (points - second.camera.positions[:, None]).norm(dim=2).view(views, height, width)
    depth = seen_by_second(second.depth, "nearest")[:, 0]
    both_see = (
        (first.alpha[:, 0] > _OPAQUE)
        & (seen_by_second(second.alpha, "nearest")[:, 0] > _OPAQUE)
        & ((distance - depth).abs() < tolerance)
        & (axial.view(views, height, width) > 0)
        & (grid.abs() < 1).all(dim=3)
    )
    difference = (first.image - seen_by_second(second.image, "bilinear")).abs().mean(dim=1) / 2
    return (difference * both_see).sum(dim=(1, 2)) / both_see.sum(dim=(1, 2))


def nearest_neighbours(camera: Camera) -> Tensor:
    """Return for each of v views the index of the view with the nearest viewing direction [v]."""
    alike = camera.forward @ camera.forward.T
    return alike.fill_diagonal_(-torch.inf).argmax(dim=1)


def view_consistency_error(views: PosedViews, *, tolerance: float = 0.02) -> float:
    """Return the mean re-projection error between each view and its nearest neighbour.

    0 is a perfect agreement; the unit is the colour range. Blurred pictures agree more easily, so
    report their sharpness beside it.
    """
    neighbours = nearest_neighbours(views.camera)
    errors = reprojection_error(views, views[neighbours], tolerance=tolerance)
    return float(errors.nanmean())
