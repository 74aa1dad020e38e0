"""A field as a solid: its geometry on a grid and at points, the colours on its surface."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from triptych.fields.base import Field
from triptych.render.marcher import march
from triptych.render.marching_rules import check_geometry
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig

POINTS_AT_ONCE = 2**16
Geometry = Callable[[Tensor], Tensor]
"""Geometry [1, n, 1] at points [1, n, 3], as `Field.geometry`."""

_COLOUR_REACH = 0.02
_COLOUR_SAMPLES = 16


def geometry_grid(
    geometry: Geometry, box_size: float, resolution: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Return raw densities or signed distances on a grid over a cube around the origin.

    Args:
        geometry: Answers at points.
        box_size: Side of the cube.
        resolution: Samples along each side, faces included.
        device: Where the field is.

    Returns:
        [n, n, n], indexed x, y, z.
    """
    line = torch.linspace(-box_size / 2, box_size / 2, resolution).to(device)
    y, z = torch.meshgrid(line, line, indexing="ij")
    layers = []
    for x in line:
        layer = torch.stack([x.expand_as(y), y, z], dim=-1).reshape(-1, 3)
        layers.append(geometry_at(geometry, layer).reshape(resolution, resolution))
    return torch.stack(layers)


def geometry_at(geometry: Geometry, points: Tensor) -> Tensor:
    """Return raw densities or signed distances [n] at points [n, 3], a limited number at once."""
    return torch.cat([geometry(some[None])[0, :, 0] for some in points.split(POINTS_AT_ONCE)])


def surface_colours(field: Field, config: RenderConfig, points: Tensor, normals: Tensor) -> Tensor:
    """Return the colours that short rays along the normals accumulate.

    A ray starts a little outside of each point and ends a little inside; its samples are
    composited as the renderer does. So a colour is what is rendered, not the feature at one point.

    Args:
        field: A field of batch 1.
        config: Its marching rule is used.
        points: Points on the surface [n, 3].
        normals: Unit normals to the outside [n, 3].

    Returns:
        Colours [n, 3] in [-1, 1].
    """
    check_geometry(field.geometry_kind, config.rule)
    reach = _COLOUR_REACH * field.box_size
    depths = torch.linspace(0, 2 * reach, _COLOUR_SAMPLES, device=points.device)
    pieces = []
    at_once = POINTS_AT_ONCE // _COLOUR_SAMPLES
    for some, facing in zip(points.split(at_once), normals.split(at_once), strict=True):
        rays = Rays((some + reach * facing)[None], -facing[None])
        along = depths.expand(1, len(some), -1)
        points = rays.points(along)
        towards = rays.directions[:, :, None].expand_as(points)
        sample = field.query(points.flatten(1, 2), towards.flatten(1, 2))
        shape = (1, len(some), _COLOUR_SAMPLES, -1)
        marched = march(
            sample.features[..., :3].reshape(shape),
            sample.geometry.reshape(shape),
            along[..., None],
            config.rule,
        )
        pieces.append((marched.features / marched.total.clamp_min(1e-6))[0])
    return torch.cat(pieces) * 2 - 1
