"""The fast path of a portrait of regions, beside the exact one: only samples that are seen.

A lattice of distances, made once, says which samples of a ray can have weight: those near the
surface that is met first. The folded networks answer at these alone; features are composited before
their heads, which are linear, so that a head is applied once for a ray and region.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.render.distance_lattice import DistanceLattice
from triptych.render.field_geometry import geometry_grid
from triptych.render.marcher import MarchedRays
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays, finished
from triptych.render.seen_samples import seen_samples
from triptych.systems.compose.folded_field import FoldedRegionField, RegionSamples
from triptych.systems.compose.region_field import RegionField
from triptych.systems.compose.region_rays import AxisDepths, of_slanted_rays

_LARGEST_LATTICE = 65
_LEAST_WEIGHT = 1e-3
_GRID_TOLERANCE = 0.03
# Interpolated between exact values, a distance is off by a small part of what it may differ.
_ERROR_SHARE, _NEAR = 0.25, 0.02
_RAYS_AT_ONCE = 2**13
# Softness of a surface as a share of the box beyond which all samples are seen.
_SOFTEST = 0.02


@dataclass(frozen=True, eq=False)
class FastRegions:
    """Renders one volume fast, without gradients.

    Attributes:
        exact: The volume.
        config: How rays through it are composited.
    """

    exact: RegionField
    config: RenderConfig

    @cached_property
    def field(self) -> FoldedRegionField:
        """The volume with its codes folded in."""
        return FoldedRegionField.of(self.exact)

    @cached_property
    def _narrow_field(self) -> FoldedRegionField:
        return self.field.narrowed(torch.bfloat16)

    @cached_property
    def lattice(self) -> DistanceLattice:
        """Where the surface of the whole solid is, before it is cut."""
        cells = 2 * self.exact.config.sampling.num  # half as long as the way between samples
        return self._lattice_of(min(_LARGEST_LATTICE, cells + 1))

    @cached_property
    def _median_reach(self) -> Tensor:
        """How much distances differ within half a cell near the surface."""
        near = self.lattice.values.abs() < _NEAR * self.exact.box_size
        reach = self.lattice.reach.values
        return reach[near].median() if bool(near.any()) else reach.median()

    @torch.no_grad()
    def distance_grid(self, resolution: int) -> Tensor:
        """Return the distances [n, n, n] from face to face of the box.

        They are exact near the surface and, beyond, interpolated where they bend little. Those of a
        cut solid, which may change steeply, are exact everywhere.
        """
        if self.exact.only is None:
            return self._lattice_of(resolution, _GRID_TOLERANCE).values
        field, device = self.field, self.exact.codes.device
        return geometry_grid(field.geometry, field.box_size, resolution, device)

    def _lattice_of(self, resolution: int, tolerance: float = math.inf) -> DistanceLattice:
        whole, device = replace(self.field, only=None), self.exact.codes.device
        size = whole.box_size
        return DistanceLattice.of(whole.geometry, size, resolution, device, tolerance=tolerance)

    @torch.no_grad()
    def cast(
        self,
        field: RegionField,
        rays: Rays,
        depths: AxisDepths,
        dtype: torch.dtype = torch.float32,
    ) -> RenderedRays:
        """Render rays as `region_rays.cast` does.

        Args:
            field: The volume as these cameras see it: their frame, with features or without.
            rays: Rays [v, r, 3].
            depths: Their samples.
            dtype: Of the networks' products: float32 or bfloat16.
        """
        folded = self._narrow_field if dtype == torch.bfloat16 else self.field
        folded = replace(folded, with_features=field.with_features)
        views = [
            self._cast_view(folded, field.camera, rays, depths, view)
            for view in range(len(rays.origins))
        ]
        regions = [view.regions for view in views if view.regions is not None]
        return RenderedRays(
            torch.cat([view.features for view in views]),
            torch.cat([view.depth for view in views]),
            torch.cat([view.alpha for view in views]),
            torch.cat(regions),
        )

    def _cast_view(
        self,
        field: FoldedRegionField,
        camera: Camera | None,
        rays: Rays,
        depths: AxisDepths,
        view: int,
    ) -> RenderedRays:
        own = slice(view, view + 1)
        rays = Rays(rays.origins[own], rays.directions[own])
        depths = AxisDepths(depths.axis[own], depths.slant[own])
        seen = replace(field, camera=None if camera is None else camera[own])
        pieces = []
        for start in range(0, rays.origins.shape[1], _RAYS_AT_ONCE):
            part = slice(start, start + _RAYS_AT_ONCE)
            pieces.append(self._march(seen, rays.slice(part), depths.slice(part)))
        marched = MarchedRays(
            *(torch.cat([getattr(piece, name) for piece in pieces], dim=1) for name in _MARCHED)
        )
        along = depths.along_ray
        nearest, farthest = along.amin(dim=2, keepdim=True), along.amax(dim=2, keepdim=True)
        return finished(marched, nearest, farthest, self.config)

    def _march(self, field: FoldedRegionField, rays: Rays, depths: AxisDepths) -> MarchedRays:
        along = depths.along_ray[0]
        rule = of_slanted_rays(self.config, depths.slant[0])
        needed = self._needed(rule, rays, depths.along_ray)[0]
        ray = needed.nonzero()[:, 0]
        origins, towards = rays.origins[0, ray], rays.directions[0, ray]
        samples = field.samples(origins + along[needed][:, None] * towards, towards)
        distance = torch.full_like(along, field.box_size)  # of what is not seen
        distance[needed] = samples.distance
        weighed = rule.weigh(distance, along)
        weights = weighed.samples[needed]
        depth = _per_ray(weights * along[needed], ray, len(along))
        total = weighed.total
        seen = total > 0
        colours = _per_ray(weights[:, None] * samples.colours, ray, len(along))
        return MarchedRays(
            self._with_features(field, rays, samples, weights, ray, colours)[None],
            torch.where(seen, depth[:, None] / torch.where(seen, total, 1.0), torch.inf)[None],
            weighed.alpha[None],
            total[None],
            _per_ray(weights[:, None] * samples.shares, ray, len(along))[None],
        )

    def _needed(self, rule: SdfRule, rays: Rays, along: Tensor) -> Tensor:
        """Return which samples [1, r, s] may have weight."""
        if float(torch.as_tensor(rule.beta)) > _SOFTEST * self.exact.box_size:
            return torch.ones_like(along, dtype=torch.bool)
        error = _ERROR_SHARE * float(self._median_reach)
        is_cut = self.exact.only is not None
        return seen_samples(
            self.lattice, rule, rays, along, error=error, least=_LEAST_WEIGHT, may_be_cut=is_cut
        )

    def _with_features(
        self,
        field: FoldedRegionField,
        rays: Rays,
        samples: RegionSamples,
        weights: Tensor,
        ray: Tensor,
        colours: Tensor,
    ) -> Tensor:
        if samples.texture is None:
            return colours
        parts = weights[:, None] * samples.shares
        texture = [
            _per_ray(part[:, None] * trunk, ray, len(colours))
            for part, trunk in zip(parts.T, samples.texture, strict=True)
        ]
        shares = _per_ray(parts, ray, len(colours))
        features = field.features_of(torch.stack(texture), shares, rays.directions[0])
        return torch.cat([colours, features], dim=-1)


_MARCHED = ("features", "depth", "alpha", "total", "regions")


def _per_ray(values: Tensor, ray: Tensor, num_rays: int) -> Tensor:
    """Return the sums [r, ...] of values [m, ...] over the samples of each ray."""
    return values.new_zeros(num_rays, *values.shape[1:]).index_add_(0, ray, values)
