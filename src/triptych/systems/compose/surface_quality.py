"""How good a signed distance is: one surface per ray, as steep as a distance should be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.fields.base import Field
from triptych.render.field_geometry import geometry_at
from triptych.render.rays import Rays

_STEP_SHARE = 1e-3


@dataclass(frozen=True)
class SurfaceQuality:
    """Figures of rays that meet the surface.

    Attributes:
        crossing_once: Share of them on which the distance changes its sign once or, going out
            again, twice; more often means floating shells or holes.
        steepness: Median length of the distance's gradient where they meet it; 1 is a distance.
    """

    crossing_once: float
    steepness: float


@torch.no_grad()
def surface_quality(field: Field, rays: Rays, depths: Tensor) -> SurfaceQuality:
    """Measure a field of signed distances along rays.

    Args:
        field: Of batch 1.
        rays: Rays [1, r, 3].
        depths: Samples along them [1, r, s], increasing.
    """
    points = rays.points(depths)
    distance = geometry_at(field.geometry, points.reshape(-1, 3)).reshape(depths.shape[1:])
    inside = distance < 0
    enters = ~inside[:, :-1] & inside[:, 1:]
    meets = enters.any(dim=1)
    if not bool(meets.any()):
        return SurfaceQuality(0.0, 0.0)
    once = (enters.sum(dim=1) == 1)[meets].float().mean()
    first = enters.float().argmax(dim=1)[meets]
    places = points[0, meets].gather(1, first[:, None, None].expand(-1, 1, 3))[:, 0]
    return SurfaceQuality(float(once), float(_gradient(field, places).norm(dim=1).median()))


def _gradient(field: Field, points: Tensor) -> Tensor:
    """Return central differences [n, 3] of the distance at points [n, 3]."""
    step = _STEP_SHARE * field.box_size
    offsets = step * torch.eye(3, device=points.device)
    around = torch.cat([points[:, None] + offsets, points[:, None] - offsets], dim=1)
    values = geometry_at(field.geometry, around.reshape(-1, 3)).reshape(len(points), 2, 3)
    return (values[:, 0] - values[:, 1]) / (2 * step)
