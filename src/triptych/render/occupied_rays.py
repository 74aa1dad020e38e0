"""The fast path beside the exact renderer: samples without weight are never decoded.

Rays through empty space show the background; on the others only samples in or beside occupied cells
that light still reaches are decoded. The rest keep the lattice's geometry and weigh next to
nothing, so the picture is that of the exact renderer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.fields.base import Field
from triptych.render.depth_samplers import importance_depths
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

_RAYS_PER_CHUNK = 4096
_HIDDEN_BELOW = 1e-3
_INVISIBLE_BELOW = 1e-4


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
    """Render as `renderer.render_rays` does, but faster and without gradients.

    Depth agrees where alpha is not 0; rays through empty space get the largest sampled depth.

    Args:
        field: The field of batch 1 from which the grid was made.
        rays: Rays [b, r, 3] of any number of views of it.
        config: Sampling and compositing.
        grid: Where the field is occupied.
        generator: See `render_rays`.
        draws: See `render_rays`.

    Raises:
        UserError: The grid or the marching rule does not fit the field, or the rule gives
            weight to samples in empty space.
    """
    grid.check_box(field.box_size)
    check_geometry(field.geometry_kind, config.rule)
    if not config.rule.skips_empty_space:
        raise UserError(
            "empty space cannot be skipped: the last sample of every ray has weight; "
            "use the exact path, or a rule that ignores the last sample"
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
    features, depth, alpha, regions = (
        torch.cat(tensors).unflatten(0, (views, num_rays))
        for tensors in zip(*gathered, strict=True)
    )
    return RenderedRays(
        over_background(features, alpha, config.background),
        clamp_depth(depth, nearest, farthest, config.scope),
        alpha,
        regions if regions.shape[-1] else None,
    )


def _gather(
    field: Field,
    rays: Rays,
    depths: Tensor,
    uniform: Tensor,
    config: RenderConfig,
    grid: OccupancyGrid,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return features [r, c], depth, alpha [r, 1] and regions [r, k] of rays of one view.

    k is 0 for fields without regions.
    """
    cells = grid.cells(_points(rays, depths))
    hits = grid.nearby[cells].any(dim=1).nonzero().squeeze(1)
    hitting = Rays(rays.origins[hits], rays.directions[hits])
    samples = _Samples(field, hitting, config, grid)
    samples.add(depths[hits], cells[hits])
    if config.num_fine and len(hits):
        weights = samples.interval_weights()
        fine = importance_depths(samples.depths[None], weights[None], uniform[hits][None])[0]
        samples.add(fine, grid.cells(_points(hitting, fine)))
    seen = samples.composite()
    num_rays = depths.shape[0]
    values = depths.new_zeros(num_rays, seen[0].shape[1])
    depth = depths.new_full((num_rays, 1), torch.inf)
    alpha = depths.new_zeros(num_rays, 1)
    values[hits], depth[hits], alpha[hits] = seen
    features, regions = values.split(
        [values.shape[1] - samples.num_regions, samples.num_regions], 1
    )
    return features, depth, alpha, regions


class _Samples:
    """Samples [r, s] of rays [r, 3], of which those that can have weight are decoded when added.

    Attributes:
        depths: Where the samples are, in the order in which they were added.
        geometry: Exact where decoded, the lattice's elsewhere.
        decoded: Which samples were decoded.
        order: Permutation that sorts the depths.
        num_regions: How many of the gathered values are shares of regions.
    """

    def __init__(self, field: Field, rays: Rays, config: RenderConfig, grid: OccupancyGrid) -> None:
        self._field, self._rays, self._config, self._grid = field, rays, config, grid
        none = rays.origins.new_zeros(rays.origins.shape[0], 0)
        self.depths, self.geometry, self.decoded = none, none, none.bool()
        self.num_regions = 0
        self.order = self._cells = none.long()
        self._values: list[tuple[Tensor, Tensor, Tensor]] = []  # ray, sample, features + regions

    def add(self, depths: Tensor, cells: Tensor) -> None:
        """Add samples [r, s] that lie in the given cells."""
        self.depths = torch.cat([self.depths, depths], dim=1)
        self.geometry = torch.cat([self.geometry, self._grid.geometry[cells]], dim=1)
        self.decoded = torch.cat([self.decoded, torch.zeros_like(cells).bool()], dim=1)
        self._cells = torch.cat([self._cells, cells], dim=1)
        self.order = self.depths.argsort(dim=1, stable=True)
        self._decode(self._can_weigh() & ~self.decoded)

    def interval_weights(self, geometry: Tensor | None = None) -> Tensor:
        """Return the weights [r, s - 1] of the intervals in depth order."""
        geometry = self.geometry if geometry is None else geometry
        return self._config.rule.interval_weights(
            geometry.gather(1, self.order), self.depths.gather(1, self.order)
        )

    def composite(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features and regions [r, c + k], depth [r, 1] and alpha [r, 1].

        What little weight falls on samples that were not decoded takes the mean values of those
        that were; rays without a decoded sample stay empty.
        """
        weighed = self._config.rule.weigh(
            self.geometry.gather(1, self.order), self.depths.gather(1, self.order)
        )
        weights = torch.zeros_like(self.depths).scatter(1, self.order, weighed.samples)
        num_rays = weights.shape[0]
        decoded_weight = (weights * self.decoded).sum(dim=1, keepdim=True)
        gathered = weights.new_zeros(num_rays, self._values[0][2].shape[1])
        for ray, sample, values in self._values:
            gathered.index_add_(0, ray, weights[ray, sample, None] * values)
        shown = decoded_weight > _INVISIBLE_BELOW
        alpha = torch.where(shown, weighed.total, 0.0)
        gathered = gathered * torch.where(shown, alpha / decoded_weight, 0.0)
        depth = (weights * self.depths).sum(dim=1, keepdim=True) / alpha
        return gathered, torch.where(shown, depth, torch.inf), alpha

    def _decode(self, chosen: Tensor) -> None:
        ray, sample = chosen.nonzero(as_tuple=True)
        depths = self.depths[ray, sample, None]
        points = self._rays.origins[ray] + depths * self._rays.directions[ray]
        answer = self._field.query(points[None], self._rays.directions[ray][None])
        self.geometry[ray, sample] = answer.geometry[0, :, 0]
        self.decoded |= chosen
        values = answer.features[0]
        if answer.regions is not None:
            self.num_regions = answer.regions.shape[-1]
            values = torch.cat([values, answer.regions[0]], dim=1)
        self._values.append((ray, sample, values))

    def _can_weigh(self) -> Tensor:
        """Return which samples [r, s] lie in or beside occupied cells that light still reaches."""
        occupied = self._grid.occupied[self._cells].gather(1, self.order)
        beside = occupied.clone()
        beside[:, 1:] |= occupied[:, :-1]
        beside[:, :-1] |= occupied[:, 1:]
        at_most = torch.where(self.decoded, self.geometry, self._grid.solid[self._cells])
        left = 1 - self.interval_weights(at_most).cumsum(dim=1)
        # Sample i ends the interval that starts at sample i - 1, behind interval i - 2.
        beside[:, 2:] &= left[:, :-1] > _HIDDEN_BELOW
        return torch.zeros_like(beside).scatter(1, self.order, beside)


def _points(rays: Rays, depths: Tensor) -> Tensor:
    return rays.origins[:, None] + depths[..., None] * rays.directions[:, None]
