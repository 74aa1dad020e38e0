"""The fast path beside the exact one: samples that cannot show are never decoded.

A lattice of densities is taken once per portrait. Rays that pass no occupied cell show the
background; on the others only samples in or beside occupied cells, and not behind solid matter,
are decoded. What is left out weighs next to nothing, so the picture is that of the exact renderer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError
from triptych.fields.base import Field
from triptych.render.depth_samplers import importance_depths
from triptych.render.marcher import interval_weights, march
from triptych.render.rays import Rays
from triptych.render.renderer import (
    Draws,
    RenderConfig,
    RenderedRays,
    clamp_depth,
    over_background,
    plan_samples,
)

_RAYS_PER_CHUNK = 4096
_POINTS_PER_QUERY = 2**16
_HIDDEN_BELOW = 1e-3
_NO_MATTER = -1e4


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """Where one portrait has matter, on a lattice over its cube.

    Cells are stored flat, x fastest, then y, then z; one more entry at the end answers for all
    points outside the cube.

    Attributes:
        size: Cells along each side of the cube.
        box_size: Side of the cube.
        occupied: Whether matter is in the cell or near it [size ** 3 + 1], bool.
        density: Raw density at cell centres [size ** 3 + 1], for samples that are not decoded.
        solid: Smallest raw density around each cell [size ** 3 + 1], so that it never hides too
            much; nothing outside the cube hides anything.
    """

    size: int
    box_size: float
    occupied: Tensor
    density: Tensor
    solid: Tensor

    @property
    def occupancy(self) -> float:
        """Fraction of the cube that is occupied."""
        return float(self.occupied[:-1].float().mean())

    def cells(self, points: Tensor) -> Tensor:
        """Return the index of the cell of each point [..., 3] as int64 [...]."""
        scaled = (points / self.box_size + 0.5) * self.size
        x, y, z = scaled.floor().clamp(-1, self.size).to(torch.int32).unbind(dim=-1)
        inside = (x >= 0) & (y >= 0) & (z >= 0)
        inside &= (x < self.size) & (y < self.size) & (z < self.size)
        index = (z * self.size + y) * self.size + x
        return torch.where(inside, index, self.size**3).long()


@torch.no_grad()
def occupancy_grid(
    field: Field,
    config: RenderConfig,
    *,
    size: int = 64,
    empty_below: float = 0.02,
    device: torch.device | str = "cpu",
) -> OccupancyGrid:
    """Ask a field for its density on a lattice and mark where rays must look.

    Args:
        field: A field of batch 1.
        config: How the field is rendered; its first sampling step sets how far marks reach.
        size: Cells along each side.
        empty_below: Activated density, per world unit, below which a cell is empty. A ray through
            the whole cube loses at most about this much opacity.
        device: Where the field's planes live.
    """
    cell = field.box_size / size
    line = ((torch.arange(size, device=device) + 0.5) / size - 0.5) * field.box_size
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
    raw = torch.cat([field.query(p).density for p in points.split(_POINTS_PER_QUERY, dim=1)], 1)
    outside_point = torch.full((1, 1, 3), 2 * field.box_size, device=device)
    outside = field.query(outside_point).density.reshape(1)
    lattice = raw.reshape(1, 1, size, size, size)
    matter = _activated(lattice, config) > empty_below
    # Marks reach half a sampling step, so that no first pass steps over them, and one cell more
    # for what lies between lattice points.
    reach = 1 + math.ceil(_sampling_step(config, field.box_size) / 2 / cell)
    matter_outside = _activated(outside, config) > empty_below
    padded = F.pad(matter.float(), [reach] * 6, value=float(matter_outside))
    grown = F.max_pool3d(padded, 2 * reach + 1, stride=1) > 0
    solid = -F.max_pool3d(-lattice, 3, stride=1, padding=1)
    return OccupancyGrid(
        size,
        field.box_size,
        torch.cat([grown.reshape(-1), matter_outside]),
        torch.cat([lattice.reshape(-1), outside]),
        torch.cat([solid.reshape(-1), torch.full_like(outside, _NO_MATTER)]),
    )


@torch.no_grad()
def render_rays_with_occupancy(
    field: Field,
    rays: Rays,
    config: RenderConfig,
    grid: OccupancyGrid,
    *,
    generator: torch.Generator | None = None,
    draws: Draws | None = None,
) -> RenderedRays:
    """Render as `render_rays` does, decoding only samples that can show; without gradients.

    Depth agrees where something is seen; rays that pass no matter get the largest sampled depth.

    Args:
        field: The field of batch 1 from which the grid was made.
        rays: Rays [b, r, 3] of any number of views of it.
        config: Sampling and compositing.
        grid: Where the field has matter.
        generator: See `render_rays`.
        draws: See `render_rays`.
    """
    if grid.box_size != field.box_size:
        raise UserError(
            f"the occupancy grid spans a cube of side {grid.box_size}, the field one of "
            f"{field.box_size}; make the grid from this field"
        )
    depths, uniform = plan_samples(rays, config, field.box_size, generator, draws)
    views, num_rays = rays.origins.shape[:2]
    nearest = depths.amin(dim=(1, 2)).reshape(-1, 1, 1)
    farthest = depths.amax(dim=(1, 2)).reshape(-1, 1, 1)
    gathered = []
    for view in range(views):
        for start in range(0, num_rays, _RAYS_PER_CHUNK):
            part = slice(start, start + _RAYS_PER_CHUNK)
            chunk = Rays(rays.origins[view, part], rays.directions[view, part])
            gathered.append(
                _gather(field, chunk, depths[view, part], uniform[view, part], config, grid)
            )
    features, depth, opacity = (
        torch.cat(tensors).unflatten(0, (views, num_rays))
        for tensors in zip(*gathered, strict=True)
    )
    depth = clamp_depth(depth, nearest, farthest, config.scope)
    return RenderedRays(over_background(features, opacity, config.background), depth, opacity)


def _gather(
    field: Field,
    rays: Rays,
    depths: Tensor,
    uniform: Tensor,
    config: RenderConfig,
    grid: OccupancyGrid,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return features [r, c], depth [r, 1] and opacity [r, 1] of rays [r, 3] of one view."""
    cells = grid.cells(_points(rays, depths))
    hits = grid.occupied[cells].any(dim=1).nonzero().squeeze(1)
    samples = _Samples(field, grid, config, Rays(rays.origins[hits], rays.directions[hits]))
    samples.add(depths[hits], cells[hits])
    if config.num_fine:
        weights = interval_weights(
            samples.density, samples.depths, density_gain=config.density_gain
        )
        fine = importance_depths(samples.depths[None], weights[None], uniform[hits][None])[0]
        samples.add(fine, grid.cells(_points(samples.rays, fine)))
    marched = march(
        samples.features[None],
        samples.density[None, ..., None],
        samples.depths[None, ..., None],
        density_gain=config.density_gain,
        order=samples.order[None],
    )
    num_rays = depths.shape[0]
    features = depths.new_zeros(num_rays, marched.features.shape[-1])
    depth = depths.new_full((num_rays, 1), torch.inf)
    opacity = depths.new_zeros(num_rays, 1)
    features[hits], depth[hits], opacity[hits] = (
        marched.features[0],
        marched.depth[0],
        marched.opacity[0],
    )
    return features, depth, opacity


class _Samples:
    """Samples of rays [r, 3], of which those that can show are decoded as they are added."""

    def __init__(
        self, field: Field, grid: OccupancyGrid, config: RenderConfig, rays: Rays
    ) -> None:
        self.field, self.grid, self.config, self.rays = field, grid, config, rays
        num_rays, origin = rays.origins.shape[0], rays.origins
        self.depths = origin.new_zeros(num_rays, 0)
        self.density = origin.new_zeros(num_rays, 0)
        self.features = origin.new_zeros(num_rays, 0, 0)
        self.order = torch.zeros(num_rays, 0, dtype=torch.int64, device=origin.device)
        self._cells = self.order
        self._decoded = self.order.bool()

    def add(self, depths: Tensor, cells: Tensor) -> None:
        """Add samples at depths [r, s] in the given cells and decode what can show."""
        self.depths = torch.cat([self.depths, depths], dim=1)
        self._cells = torch.cat([self._cells, cells], dim=1)
        self.density = torch.cat([self.density, self.grid.density[cells]], dim=1)
        self._decoded = torch.cat([self._decoded, torch.zeros_like(cells, dtype=torch.bool)], 1)
        self.order = self.depths.argsort(dim=1, stable=True)
        wanted = (self._can_show() & ~self._decoded).nonzero(as_tuple=True)
        points = _points(self.rays, self.depths)[wanted]
        sample = self.field.query(points[None])
        self.density[wanted] = sample.density[0, :, 0]
        self._decoded[wanted] = True
        grown = self.depths.new_zeros(*self.depths.shape, sample.features.shape[-1])
        if self.features.shape[1]:
            grown[:, : self.features.shape[1]] = self.features
        grown[wanted] = sample.features[0]
        self.features = grown

    def _can_show(self) -> Tensor:
        """Return which samples [r, s] end an interval with matter that light still reaches."""
        cells = self._cells.gather(1, self.order)
        matter = self.grid.occupied[cells]
        beside = matter.clone()
        beside[:, 1:] |= matter[:, :-1]
        beside[:, :-1] |= matter[:, 1:]
        depths = self.depths.gather(1, self.order)
        known = torch.where(self._decoded, self.density, self.grid.solid[self._cells])
        weights = interval_weights(
            known.gather(1, self.order), depths, density_gain=self.config.density_gain
        )
        left = 1 - weights.cumsum(dim=1)  # light left behind interval i, seen by sample i + 2
        beside[:, 2:] &= left[:, :-1] > _HIDDEN_BELOW
        return torch.zeros_like(beside).scatter(1, self.order, beside)


def _points(rays: Rays, depths: Tensor) -> Tensor:
    return rays.origins[:, None] + depths[..., None] * rays.directions[:, None]


def _activated(raw: Tensor, config: RenderConfig) -> Tensor:
    return F.softplus(raw - 1) * config.density_gain


def _sampling_step(config: RenderConfig, box_size: float) -> float:
    if isinstance(config.ray_start, str) or isinstance(config.ray_end, str):
        return box_size * math.sqrt(3) / (config.num_coarse - 1)
    return (config.ray_end - config.ray_start) / (config.num_coarse - 1)
