"""The renderer: rays through any field, in an even pass and an importance pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.fields.base import Field, FieldSample
from triptych.render.depth_samplers import importance_depths, stratified_depths
from triptych.render.marcher import MarchedRays, march
from triptych.render.marching_rules import MarchingRule, MidpointRule, SdfRule, check_geometry
from triptych.render.ray_limits import MissedRays, Scope, automatic_limits
from triptych.render.rays import Rays

POINTS_PER_CHUNK = 2**16
MOST_SAMPLES = 1024
"""Of one pass along one ray; EG3D takes 48 to 96."""
FARTHEST = 1e4
"""Depth in world units; heads are one unit wide."""


@dataclass(frozen=True)
class RenderConfig:
    """How rays are sampled and composited.

    Attributes:
        num_coarse: Evenly spread samples per ray, at least 4.
        num_fine: Samples per ray drawn where the first pass found weight; 0 skips that pass.
        ray_start: Depth of the first sample, or "auto": where the ray enters the field's cube.
        ray_end: Depth of the last sample, or "auto"; both are "auto" or neither.
        disparity_sampling: Spread the first samples evenly in 1 / depth.
        background: Value in [-1, 1] of all features behind the field: -1 in EG3D's faces, 1 in its
            cars, 0.5 (light grey) in the avatar models.
        density_gain: Scale of the activated density: 1 in EG3D, 30 in the avatar models; see
            `marching_rules.MidpointRule`.
        sdf: For fields of signed distances, how these become weights; see
            `marching_rules.SdfRule`. None is for raw densities, by EG3D's midpoint rule.
        missed_rays: With automatic limits, how far rays that miss the cube reach; see
            `ray_limits.automatic_limits`. "legacy" is EG3D's rule.
        scope: EG3D takes two extremes over the whole batch: the limits of rays that miss the cube
            and the range to which depth is clamped. "batch" does so too; "image" takes them per
            image, so that a batch gives what its images give one by one.
    """

    num_coarse: int = 48
    num_fine: int = 48
    ray_start: float | Literal["auto"] = 2.25
    ray_end: float | Literal["auto"] = 3.3
    disparity_sampling: bool = False
    background: float = -1.0
    density_gain: float = 1.0
    sdf: SdfRule | None = None
    missed_rays: MissedRays = "legacy"
    scope: Scope = "image"

    def __post_init__(self) -> None:
        check_fields(
            self,
            num_coarse=(4, MOST_SAMPLES),
            num_fine=(0, MOST_SAMPLES),
            ray_start=(0, FARTHEST),
            ray_end=(0, FARTHEST),
            background=(-1, 1),
            density_gain=(1e-6, 1e6),
        )
        if (self.ray_start == "auto") != (self.ray_end == "auto"):
            raise UserError("ray_start and ray_end must both be numbers or both be 'auto'")
        if not isinstance(self.ray_start, str) and not isinstance(self.ray_end, str):
            if not 0 <= self.ray_start < self.ray_end:
                raise UserError(
                    f"ray limits are out of order: got {self.ray_start} to {self.ray_end}; "
                    "expected 0 <= ray_start < ray_end"
                )
            if self.disparity_sampling and self.ray_start == 0:
                raise UserError("disparity sampling needs ray_start above 0")

    def fixed_limits(self, needed_by: str) -> tuple[float, float]:
        """Return where rays start and end.

        Args:
            needed_by: What cannot do without fixed limits, for the message.

        Raises:
            UserError: The limits are "auto".
        """
        if isinstance(self.ray_start, str) or isinstance(self.ray_end, str):
            raise UserError(f"{needed_by} needs fixed ray limits; ray_start is 'auto'")
        return self.ray_start, self.ray_end

    @property
    def rule(self) -> MarchingRule:
        """What turns samples into weights."""
        return self.sdf or MidpointRule(self.density_gain)


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers of one rendering, in [0, 1].

    Attributes:
        coarse: Offset of each even sample in bins [b, r, num_coarse].
        fine: Position on the cdf of each importance sample [b, r, num_fine].
    """

    coarse: Tensor
    fine: Tensor

    @classmethod
    def random(cls, rays: Rays, config: RenderConfig, generator: torch.Generator) -> Draws:
        """Draw numbers for all rays, in the order in which EG3D draws."""
        shape = rays.origins.shape[:2]
        coarse = torch.rand(*shape, config.num_coarse, generator=generator)
        fine = torch.rand(*shape, config.num_fine, generator=generator)
        return cls(coarse.to(rays.origins), fine.to(rays.origins))


@dataclass(frozen=True, eq=False)
class RenderedRays:
    """The rendered values of rays.

    Attributes:
        features: Features over the background [b, r, c], in [-1, 1].
        depth: Mean distance along the unit ray [b, r, 1], weighted; where nothing has weight,
            the largest depth that was sampled.
        alpha: Accumulated opacity of the field [b, r, 1], in [0, 1].
        regions: Share of each region [b, r, k], composited like features; None without regions.
    """

    features: Tensor
    depth: Tensor
    alpha: Tensor
    regions: Tensor | None = None


def render_rays(
    field: Field,
    rays: Rays,
    config: RenderConfig,
    *,
    generator: torch.Generator | None = None,
    draws: Draws | None = None,
    points_per_chunk: int = POINTS_PER_CHUNK,
) -> RenderedRays:
    """Render rays through a field: an even pass, an importance pass, one composite of both.

    Without a generator and without draws the result is deterministic.

    Args:
        field: Answers at points.
        rays: Rays [b, r, 3].
        config: Sampling and compositing.
        generator: Source of jitter; all numbers are drawn before rendering starts.
        draws: The random numbers themselves, instead of a generator.
        points_per_chunk: Rays are rendered in chunks of about so many samples; never changes the
            result.

    Reference: Chan et al., EG3D (2022), section 4.3.
    """
    check_geometry(field.geometry_kind, config.rule)
    depths, uniform = plan_samples(rays, config, field.box_size, generator, draws)
    pieces = [
        _render_two_passes(field, rays.slice(part), depths[:, part], uniform[:, part], config)
        for part in _chunks(rays, config, points_per_chunk)
    ]
    marched = _joined([marched for marched, _, _ in pieces])
    nearest = torch.cat([nearest for _, nearest, _ in pieces], dim=1)
    farthest = torch.cat([farthest for _, _, farthest in pieces], dim=1)
    return finished(marched, nearest, farthest, config)


def render_at_depths(
    field: Field, rays: Rays, depths: Tensor, config: RenderConfig
) -> RenderedRays:
    """Render rays through samples at given depths; the cheap path of training with known depth.

    Args:
        field: Answers at points.
        rays: Rays [b, r, 3].
        depths: Depths along the unit rays [b, r, s], in any order.
        config: Marching rule, background and scope; the sampling fields are not used.
    """
    check_geometry(field.geometry_kind, config.rule)
    return composite(query_along(field, rays, depths), depths, config)


def composite(sample: FieldSample, depths: Tensor, config: RenderConfig) -> RenderedRays:
    """Composite the samples of rays, whose tensors are [b, r, s, ...], at depths [b, r, s]."""
    return finished(_march(sample, depths, config), *_extent(depths), config)


def _render_two_passes(
    field: Field, rays: Rays, depths: Tensor, uniform: Tensor, config: RenderConfig
) -> tuple[MarchedRays, Tensor, Tensor]:
    """Return what a chunk of rays gathers, and the extent of its samples."""
    sample = query_along(field, rays, depths)
    if config.num_fine:
        with torch.no_grad():
            weights = config.rule.interval_weights(sample.geometry.squeeze(-1), depths)
            fine_depths = importance_depths(depths, weights, uniform)
        sample = _both(sample, query_along(field, rays, fine_depths))
        depths = torch.cat([depths, fine_depths], dim=2)
    return _march(sample, depths, config), *_extent(depths)


def query_along(field: Field, rays: Rays, depths: Tensor) -> FieldSample:
    """Return what a field says at depths [b, r, s]; its tensors are [b, r, s, ...]."""
    points = rays.points(depths)
    directions = rays.directions[:, :, None].expand_as(points)
    sample = field.query(points.flatten(1, 2), directions.flatten(1, 2))
    shape = points.shape[1:3]
    return FieldSample(
        sample.geometry.unflatten(1, shape),
        sample.features.unflatten(1, shape),
        None if sample.regions is None else sample.regions.unflatten(1, shape),
    )


def _both(one: FieldSample, other: FieldSample) -> FieldSample:
    """Put the samples of two passes behind each other."""
    regions = None
    if one.regions is not None and other.regions is not None:
        regions = torch.cat([one.regions, other.regions], dim=2)
    return FieldSample(
        torch.cat([one.geometry, other.geometry], dim=2),
        torch.cat([one.features, other.features], dim=2),
        regions,
    )


def _march(sample: FieldSample, depths: Tensor, config: RenderConfig) -> MarchedRays:
    return march(
        sample.features, sample.geometry, depths[..., None], config.rule, regions=sample.regions
    )


def _joined(pieces: Sequence[MarchedRays]) -> MarchedRays:
    """Put chunks of rays behind each other."""
    regions = [piece.regions for piece in pieces if piece.regions is not None]
    return MarchedRays(
        torch.cat([piece.features for piece in pieces], dim=1),
        torch.cat([piece.depth for piece in pieces], dim=1),
        torch.cat([piece.alpha for piece in pieces], dim=1),
        torch.cat([piece.total for piece in pieces], dim=1),
        torch.cat(regions, dim=1) if regions else None,
    )


def _extent(depths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest depth of each ray's samples [b, r, s], both [b, r, 1]."""
    return depths.amin(dim=2, keepdim=True), depths.amax(dim=2, keepdim=True)


def finished(
    marched: MarchedRays, nearest: Tensor, farthest: Tensor, config: RenderConfig
) -> RenderedRays:
    """Add the background and limit depth to what was sampled: nearest to farthest [b, r, 1]."""
    return RenderedRays(
        over_background(marched.features, marched.total, config.background),
        clamp_depth(marched.depth, nearest, farthest, config.scope),
        marched.alpha,
        marched.regions,
    )


def plan_samples(
    rays: Rays,
    config: RenderConfig,
    box_size: float,
    generator: torch.Generator | None,
    draws: Draws | None,
) -> tuple[Tensor, Tensor]:
    """Return depths of the even pass [b, r, num_coarse] and cdf positions [b, r, num_fine].

    Without a generator and without draws there is no jitter and the cdf is walked evenly, both
    ends included.
    """
    if draws is None and generator is not None:
        draws = Draws.random(rays, config, generator)
    near: Tensor | float
    far: Tensor | float
    if isinstance(config.ray_start, str) or isinstance(config.ray_end, str):
        near, far = automatic_limits(rays, box_size, missed=config.missed_rays, scope=config.scope)
    else:
        near, far = config.ray_start, config.ray_end
    depths = stratified_depths(
        near,
        far,
        config.num_coarse,
        jitter=None if draws is None else draws.coarse,
        disparity=config.disparity_sampling,
    )
    leading = rays.origins.shape[:2]
    depths = depths.to(rays.origins).expand(*leading, -1)
    if draws is not None:
        return depths, draws.fine
    even = torch.linspace(0, 1, config.num_fine, dtype=depths.dtype, device=depths.device)
    return depths, even.expand(*leading, -1)


def _chunks(rays: Rays, config: RenderConfig, points_per_chunk: int) -> Iterator[slice]:
    batch, num_rays = rays.origins.shape[:2]
    size = max(1, points_per_chunk // (batch * (config.num_coarse + config.num_fine)))
    for start in range(0, num_rays, size):
        yield slice(start, min(start + size, num_rays))


def clamp_depth(depth: Tensor, nearest: Tensor, farthest: Tensor, scope: Scope) -> Tensor:
    """Limit depth to what was sampled, which also replaces the inf of empty rays."""
    dims = (1, 2) if scope == "image" else (0, 1, 2)
    low, high = nearest.amin(dim=dims, keepdim=True), farthest.amax(dim=dims, keepdim=True)
    return torch.minimum(torch.maximum(depth, low), high)


def over_background(features: Tensor, total: Tensor, background: float) -> Tensor:
    """Composite features in [0, 1], of that total weight, over a background; all in [-1, 1]."""
    behind = (background + 1) / 2
    return (features + (1 - total) * behind) * 2 - 1
