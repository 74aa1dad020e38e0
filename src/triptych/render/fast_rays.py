"""The fast renderer of tri-plane portraits on a CPU, beside the exact one.

The same samples and sums in float32, without gradients; only samples without weight are skipped.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from triptych.fields.folded_triplane import FoldedTriPlane
from triptych.fields.triplane import COLOUR_OVERSHOOT
from triptych.ops.parallel import in_parallel
from triptych.render.marching_rules import check_geometry
from triptych.render.occupancy import OccupancyGrid
from triptych.render.rays import Rays
from triptych.render.renderer import (
    Draws,
    RenderConfig,
    RenderedRays,
    clamp_depth,
    over_background,
    plan_samples,
)

_RAYS_PER_PART = 256
_TILE = 8


@torch.no_grad()
def render_rays_fast(
    field: FoldedTriPlane,
    rays: Rays,
    config: RenderConfig,
    grid: OccupancyGrid,
    *,
    generator: torch.Generator | None = None,
    draws: Draws | None = None,
) -> RenderedRays:
    """Render as `renderer.render_rays` does, several times faster and without gradients.

    Depth agrees where alpha is not 0; rays through empty space get the largest sampled depth.

    Args:
        field: The folded field of one portrait.
        rays: Rays [b, r, 3] of any number of views of it.
        config: Sampling and compositing.
        grid: Where the field is occupied.
        generator: See `render_rays`.
        draws: See `render_rays`.
    """
    from triptych.render.ray_kernels import Gathered, RayArrays, render_part

    grid.check_box(field.box_size)
    check_geometry(field.geometry_kind, config.rule)
    views, num_rays = rays.origins.shape[:2]
    depths, uniform = _sorted_samples(rays, config, field.box_size, generator, draws)
    ray_arrays = RayArrays(
        _tile_by_tile(views, num_rays),
        _per_ray(rays.origins),
        _per_ray(rays.directions),
        _per_ray(depths),
        _per_ray(uniform),
    )
    colours = torch.zeros(views, num_rays, field.num_features)
    depth, alpha = torch.zeros(2, views, num_rays, 1)
    gathered = Gathered(_per_ray(colours), depth.flatten().numpy(), alpha.flatten().numpy())
    field_arrays, grid_arrays = _field_arrays(field), _grid_arrays(grid)
    gain = np.float32(config.density_gain)

    def work(start: int, stop: int) -> None:
        render_part(start, stop, ray_arrays, field_arrays, grid_arrays, gain, gathered)

    in_parallel(work, views * num_rays, _RAYS_PER_PART)
    features = colours * (1 + 2 * COLOUR_OVERSHOOT) - COLOUR_OVERSHOOT * alpha
    depth = torch.where(alpha > 0, depth, torch.inf)
    nearest, farthest = depths.amin(dim=2, keepdim=True), depths.amax(dim=2, keepdim=True)
    depth = clamp_depth(depth, nearest, farthest, config.scope)
    return RenderedRays(over_background(features, alpha, config.background), depth, alpha)


def _sorted_samples(
    rays: Rays,
    config: RenderConfig,
    box_size: float,
    generator: torch.Generator | None,
    draws: Draws | None,
) -> tuple[Tensor, Tensor]:
    """Plan samples as the exact renderer does, in ascending order.

    Where limits are numbers and nothing is drawn, all rays share one row [1, 1, s], [1, 1, n].
    Depths come in descending order where automatic limits found no ray that meets the cube.
    """
    depths, uniform = plan_samples(rays, config, box_size, generator, draws)
    if draws is None and generator is None:
        uniform = uniform[:1, :1]
        if config.ray_start != "auto":
            return depths[:1, :1], uniform
    return depths.sort(dim=-1).values, uniform.sort(dim=-1).values


def _per_ray(values: Tensor) -> np.ndarray:
    return values.flatten(0, 1).contiguous().numpy()


def _tile_by_tile(views: int, num_rays: int) -> np.ndarray:
    """Return an order of rays in which neighbours, which read the same pixels, come together."""
    index = np.arange(views * num_rays)
    size = math.isqrt(num_rays)
    if size * size != num_rays or size % _TILE:
        return index
    tiles = index.reshape(views, size // _TILE, _TILE, size // _TILE, _TILE)
    return tiles.transpose(0, 1, 3, 4, 2).reshape(-1)


def _field_arrays(field: FoldedTriPlane):  # type: ignore[no-untyped-def]
    from triptych.fields.folded_kernels import FieldArrays
    from triptych.render.ray_kernels import ROWS_PER_PRODUCT

    return FieldArrays(
        field.pixels.numpy(),
        field.axes.numpy(),
        field.size,
        np.float32(field.box_size),
        field.hidden_bias.numpy(),
        field.density_weight.numpy(),
        np.float32(field.density_bias),
        field.colour_weight.numpy(),
        field.colour_bias.repeat(ROWS_PER_PRODUCT, 1).numpy(),
        field.empty_beyond,
    )


def _grid_arrays(grid: OccupancyGrid):  # type: ignore[no-untyped-def]
    from triptych.render.ray_kernels import NEARBY, OCCUPIED, GridArrays

    marks = grid.nearby.byte() * int(NEARBY) + grid.occupied.byte() * int(OCCUPIED)
    return GridArrays(marks.numpy(), grid.geometry.numpy(), grid.size, np.float32(grid.box_size))
