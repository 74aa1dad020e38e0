"""Where splats start: one disc at each vertex of a portrait's surface."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from triptych.export.mesh import portrait_surface
from triptych.export.splats.splats import CONSTANT_HARMONIC, Splats
from triptych.export.surface import vertex_normals
from triptych.portrait import Portrait

_DISC = (0.7, 0.7, 0.2)
"""Standard deviations in cells of the grid: neighbours overlap, the surface stays thin."""
_OPACITY = 0.9


def surface_splats(portrait: Portrait, resolution: int) -> Splats:
    """Return flat splats along a portrait's surface, with the colours that its renderer shows.

    Args:
        portrait: The portrait.
        resolution: Samples along each side of its box; a splat is as wide as a cell.

    Raises:
        UserError: The portrait has no surface.
    """
    vertices, triangles = portrait_surface(portrait, resolution, all_parts=True)
    points = torch.from_numpy(vertices)
    normals = torch.from_numpy(vertex_normals(vertices, triangles))
    colours = (portrait.colours(points, normals).float().cpu().clamp(-1, 1) + 1) / 2
    cell = portrait.box_size / (resolution - 1)
    number = len(points)
    return Splats(
        positions=points,
        log_scales=(torch.tensor(_DISC) * cell).log().repeat(number, 1),
        rotations=quaternions_to(normals),
        opacity_logits=torch.full((number,), math.log(_OPACITY / (1 - _OPACITY))),
        coefficients=(colours - 0.5) / CONSTANT_HARMONIC,
    )


def quaternions_to(normals: Tensor) -> Tensor:
    """Return unit quaternions w, x, y, z [n, 4] that turn the z axis to unit vectors [n, 3]."""
    x, y, z = normals.unbind(1)
    found = torch.stack([1 + z, -y, x, torch.zeros_like(z)], 1)
    length = found.norm(dim=1, keepdim=True)
    half_turn = found.new_tensor([0.0, 1.0, 0.0, 0.0])
    return torch.where(length > 1e-3, found / length.clamp_min(1e-3), half_turn)
