"""The fast path beside the exact one: samples that cannot show are never decoded.

A lattice of densities is taken once per portrait. Rays that pass no matter show the background; on
the others only samples in or beside matter that light still reaches are decoded. The rest keep the
lattice's density and weigh next to nothing, so the picture is that of the exact renderer.
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
from triptych.render.marcher import interval_weights
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
_INVISIBLE_BELOW = 1e-4


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """Where one portrait has matter, on a lattice over its cube and one cell beyond.

    A point outside the cube belongs to the outermost cell in that direction: there a tri-plane
    field no longer changes along that direction. Cells are stored flat, x fastest, then y, then z.

    Attributes:
        size: Cells along each side, the two beyond the cube included.
        box_size: Side of the cube.
        matter: Whether matter is in the cell or the next one [size ** 3], bool.
        nearby: Whether a ray with a sample in the cell may meet matter [size ** 3], bool.
        density: Raw density of the cell [size ** 3], for samples that are not decoded.
        solid: Smallest raw density around each cell [size ** 3]: it never hides too much.
    """

    size: int
    box_size: float
    matter: Tensor
    nearby: Tensor
    density: Tensor
    solid: Tensor

    @property
    def occupancy(self) -> float:
        """Fraction of the cells that hold matter or touch one that does."""
        return float(self.matter.float().mean())

    def cells(self, points: Tensor) -> Tensor:
        """Return the index of the cell of each point [..., 3] as int64 [...]."""
        inner = self.size - 2
        scaled = points * (inner / self.box_size) + (inner / 2 + 1)
        x, y, z = scaled.clamp(0, self.size - 1).to(torch.int64).unbind(dim=-1)
        return (z * self.size + y) * self.size + x


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
        size: Cells along each side of the cube.
        empty_below: Activated density, per world unit, below which a cell is empty. A ray through
            the whole cube loses at most about this much opacity.
        device: Where the field lives.
    """
    box = field.box_size
    centres = ((torch.arange(size, device=device) + 0.5) / size - 0.5) * box
    beyond = centres.new_tensor([box])
    line = torch.cat([-beyond, centres, beyond])
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
    raw = torch.cat([field.query(p).density for p in points.split(_POINTS_PER_QUERY, dim=1)], 1)
    lattice = raw.reshape(1, *z.shape)
    matter = (F.softplus(lattice - 1) * config.density_gain > empty_below).float()
    # Marks reach half a sampling step, so that no first pass steps over them, and one cell more
    # for what lies between lattice points.
    reach = 1 + math.ceil(_sampling_step(config, box) / 2 / (box / size))
    return OccupancyGrid(
        size + 2,
        box,
        matter=_largest_around(matter, 1).reshape(-1) > 0,
        nearby=_largest_around(matter, reach).reshape(-1) > 0,
        density=lattice.reshape(-1),
        solid=-_largest_around(-lattice, 1).reshape(-1),
    )


def _largest_around(lattice: Tensor, reach: int) -> Tensor:
    """Return the largest value within `reach` cells, along each axis in turn [1, z, y, x]."""
    for _ in range(3):
        flat = lattice.flatten(0, 2)[None]
        pooled = F.max_pool1d(flat, 2 * reach + 1, stride=1, padding=reach)[0]
        lattice = pooled.reshape(lattice.shape).permute(0, 3, 1, 2).contiguous()
    return lattice


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
    hits = grid.nearby[cells].any(dim=1).nonzero().squeeze(1)
    hitting = Rays(rays.origins[hits], rays.directions[hits])
    samples = _Samples(field, hitting, config, grid)
    samples.add(depths[hits], cells[hits])
    if config.num_fine:
        weights = samples.interval_weights()
        fine = importance_depths(samples.depths[None], weights[None], uniform[hits][None])[0]
        samples.add(fine, grid.cells(_points(hitting, fine)))
    seen = samples.composite()
    num_rays = depths.shape[0]
    features = depths.new_zeros(num_rays, seen[0].shape[1])
    depth = depths.new_full((num_rays, 1), torch.inf)
    opacity = depths.new_zeros(num_rays, 1)
    features[hits], depth[hits], opacity[hits] = seen
    return features, depth, opacity


class _Samples:
    """Samples [r, s] of rays [r, 3], of which those that can show are decoded when added.

    Attributes:
        depths: Where the samples are, in the order in which they were added.
        density: Raw density: exact where decoded, the lattice's elsewhere.
        decoded: Which samples were decoded.
        order: Permutation that sorts the depths.
    """

    def __init__(
        self, field: Field, rays: Rays, config: RenderConfig, grid: OccupancyGrid
    ) -> None:
        self._field, self._rays, self._config, self._grid = field, rays, config, grid
        none = rays.origins.new_zeros(rays.origins.shape[0], 0)
        self.depths, self.density, self.decoded = none, none, none.bool()
        self.order = self._cells = none.long()
        self._features: list[tuple[Tensor, Tensor, Tensor]] = []  # ray, sample, features

    def add(self, depths: Tensor, cells: Tensor) -> None:
        """Add samples [r, s] that lie in the given cells."""
        self.depths = torch.cat([self.depths, depths], dim=1)
        self.density = torch.cat([self.density, self._grid.density[cells]], dim=1)
        self.decoded = torch.cat([self.decoded, torch.zeros_like(cells).bool()], dim=1)
        self._cells = torch.cat([self._cells, cells], dim=1)
        self.order = self.depths.argsort(dim=1, stable=True)
        self._decode(self._can_show() & ~self.decoded)

    def interval_weights(self, density: Tensor | None = None) -> Tensor:
        """Return the weights [r, s - 1] of the intervals in depth order."""
        density = self.density if density is None else density
        return interval_weights(
            density.gather(1, self.order),
            self.depths.gather(1, self.order),
            density_gain=self._config.density_gain,
        )

    def composite(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features [r, c], depth [r, 1] and opacity [r, 1].

        What little weight falls on samples that were not decoded takes the mean feature of those
        that were; rays of which nothing was decoded show nothing.
        """
        intervals = self.interval_weights()
        in_depth_order = (F.pad(intervals, (1, 0)) + F.pad(intervals, (0, 1))) / 2
        weights = torch.zeros_like(self.depths).scatter(1, self.order, in_depth_order)
        num_rays = weights.shape[0]
        decoded_weight = (weights * self.decoded).sum(dim=1, keepdim=True)
        features = weights.new_zeros(num_rays, self._features[0][2].shape[1])
        for ray, sample, values in self._features:
            features.index_add_(0, ray, weights[ray, sample, None] * values)
        shown = decoded_weight > _INVISIBLE_BELOW
        opacity = torch.where(shown, intervals.sum(dim=1, keepdim=True), 0.0)
        features = features * torch.where(shown, opacity / decoded_weight, 0.0)
        depth = (weights * self.depths).sum(dim=1, keepdim=True) / opacity
        return features, torch.where(shown, depth, torch.inf), opacity

    def _decode(self, wanted: Tensor) -> None:
        ray, sample = wanted.nonzero(as_tuple=True)
        depths = self.depths[ray, sample, None]
        points = self._rays.origins[ray] + depths * self._rays.directions[ray]
        answer = self._field.query(points[None])
        self.density[ray, sample] = answer.density[0, :, 0]
        self.decoded |= wanted
        self._features.append((ray, sample, answer.features[0]))

    def _can_show(self) -> Tensor:
        """Return which samples [r, s] end an interval with matter that light still reaches."""
        matter = self._grid.matter[self._cells].gather(1, self.order)
        beside = matter.clone()
        beside[:, 1:] |= matter[:, :-1]
        beside[:, :-1] |= matter[:, 1:]
        at_most = torch.where(self.decoded, self.density, self._grid.solid[self._cells])
        left = 1 - self.interval_weights(at_most).cumsum(dim=1)
        # Sample i ends the interval that starts at sample i - 1, behind interval i - 2.
        beside[:, 2:] &= left[:, :-1] > _HIDDEN_BELOW
        return torch.zeros_like(beside).scatter(1, self.order, beside)


def _points(rays: Rays, depths: Tensor) -> Tensor:
    return rays.origins[:, None] + depths[..., None] * rays.directions[:, None]


def _sampling_step(config: RenderConfig, box_size: float) -> float:
    if isinstance(config.ray_start, str) or isinstance(config.ray_end, str):
        return box_size * math.sqrt(3) / (config.num_coarse - 1)
    return (config.ray_end - config.ray_start) / (config.num_coarse - 1)
