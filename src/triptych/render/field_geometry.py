"""A field as a solid: densities on a grid, the density at its surface, the colours on it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.fields.base import Field
from triptych.render.marcher import march
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig

POINTS_AT_ONCE = 2**16
_COLOUR_REACH = 0.02
_COLOUR_SAMPLES = 16


def activated_density(raw: Tensor, config: RenderConfig) -> Tensor:
    """Return density per unit length from raw density, as the marcher does."""
    return F.softplus(raw - 1) * config.density_gain


def density_grid(field: Field, config: RenderConfig, resolution: int) -> Tensor:
    """Return densities per unit length on a grid over the field's cube.

    Args:
        field: A field of batch 1.
        config: Its density gain is used.
        resolution: Samples along each side, faces included.

    Returns:
        [n, n, n], indexed x, y, z.
    """
    half = field.box_size / 2
    line = torch.linspace(-half, half, resolution)
    y, z = torch.meshgrid(line, line, indexing="ij")
    layers = []
    for x in line:
        layer = torch.stack([x.expand_as(y), y, z], dim=-1).reshape(-1, 3)
        raw = torch.cat([_density(field, some) for some in layer.split(POINTS_AT_ONCE)])
        layers.append(activated_density(raw, config).reshape(resolution, resolution))
    return torch.stack(layers)


def densities_at(field: Field, config: RenderConfig, points: Tensor) -> Tensor:
    """Return densities per unit length [n] at points [n, 3]."""
    raw = torch.cat([_density(field, some) for some in points.split(POINTS_AT_ONCE)])
    return activated_density(raw, config)


def surface_colours(field: Field, config: RenderConfig, points: Tensor, normals: Tensor) -> Tensor:
    """Return the colours that a short look along the normals gathers.

    A ray starts a little outside of each point and ends a little inside; its samples count as the
    renderer counts them. So a colour is what is seen, not the feature at one point.

    Args:
        field: A field of batch 1.
        config: Its density gain is used.
        points: Points on the surface [n, 3].
        normals: Unit normals to the outside [n, 3].

    Returns:
        Colours [n, 3] in [-1, 1].
    """
    reach = _COLOUR_REACH * field.box_size
    depths = torch.linspace(0, 2 * reach, _COLOUR_SAMPLES, device=points.device)
    pieces = []
    at_once = POINTS_AT_ONCE // _COLOUR_SAMPLES
    for some, facing in zip(points.split(at_once), normals.split(at_once), strict=True):
        rays = Rays((some + reach * facing)[None], -facing[None])
        along = depths.expand(1, len(some), -1)
        sample = field.query(rays.points(along).flatten(1, 2))
        shape = (1, len(some), _COLOUR_SAMPLES, -1)
        marched = march(
            sample.features[..., :3].reshape(shape),
            sample.density.reshape(shape),
            along[..., None],
            density_gain=config.density_gain,
        )
        pieces.append((marched.features / marched.opacity.clamp_min(1e-6))[0])
    return torch.cat(pieces) * 2 - 1


def _density(field: Field, points: Tensor) -> Tensor:
    return field.query(points[None]).density[0, :, 0]
