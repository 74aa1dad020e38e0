"""Samples along rays of regions: evenly between two planes that face the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays, render_at_depths
from triptych.systems.compose.generator_config import RegionGeneratorConfig, Spacing
from triptych.systems.compose.region_field import RegionField

POINTS_AT_ONCE = 2**15
_NEAREST = 1e-3


@dataclass(frozen=True, eq=False)
class AxisDepths:
    """Where the rays of v cameras have their samples.

    Attributes:
        axis: Depths along the axis of the camera [v, r, s], in world units.
        slant: Distance along the unit ray per unit of depth [v, r, 1].
    """

    axis: Tensor
    slant: Tensor

    @property
    def along_ray(self) -> Tensor:
        """Distances along the unit rays [v, r, s]."""
        return self.axis * self.slant

    def slice(self, part: slice) -> AxisDepths:
        """Return those of some rays of every view."""
        return AxisDepths(self.axis[:, part], self.slant[:, part])


def plan_depths(
    rays: Rays,
    camera: Camera,
    config: RegionGeneratorConfig,
    *,
    num: int | None = None,
    draws: Tensor | None = None,
    spacing: Spacing | None = None,
) -> AxisDepths:
    """Choose the samples of rays.

    Args:
        rays: Rays [v, r, 3].
        camera: Their v cameras.
        config: Sampling and depth of the volume.
        num: Samples per ray; the configured number by default.
        draws: Random numbers in [0, 1): of a ray [v, r, 1] with offset spacing, of a sample
            [v, r, s] with stratified spacing; None for none.
        spacing: See `RegionSampling`; the configured one by default.
    """
    ahead = camera.forward[:, None]
    slant = 1 / (rays.directions * ahead).sum(dim=-1, keepdim=True)
    centre = -(camera.positions * camera.forward).sum(dim=-1).reshape(-1, 1, 1)
    near = (centre - config.half_box).clamp_min(_NEAREST)
    far = centre + config.half_box
    axis = spread(
        near,
        far,
        num or config.sampling.num,
        spacing or config.sampling.spacing,
        draws,
    )
    return AxisDepths(axis.expand(*rays.directions.shape[:2], -1), slant)


def cast(
    field: RegionField,
    rays: Rays,
    depths: AxisDepths,
    config: RenderConfig,
    *,
    points_at_once: int = POINTS_AT_ONCE,
) -> RenderedRays:
    """Render rays through samples at depths, a limited number at once.

    A published ray's last interval is measured along the camera's axis: on slanted rays it is
    longer.

    Args:
        field: The volume.
        rays: Rays [v, r, 3].
        depths: Their samples.
        config: How they are composited, by the sdf rule.
        points_at_once: About so many samples are in memory; never changes the result.
    """
    views, num_rays, num = depths.axis.shape
    size = max(1, points_at_once // (views * num))
    parts = [slice(start, start + size) for start in range(0, num_rays, size)]
    pieces = [_cast_some(field, rays.slice(part), depths.slice(part), config) for part in parts]
    regions = [piece.regions for piece in pieces if piece.regions is not None]
    alpha = torch.cat([piece.alpha for piece in pieces], dim=1)
    depth = torch.cat([piece.depth for piece in pieces], dim=1)
    if config.rule.skips_empty_space:  # where nothing is met, as far as the whole picture goes
        farthest = depths.along_ray.amax(dim=(1, 2), keepdim=True)
        depth = torch.where(alpha > 0, depth, farthest)
    return RenderedRays(
        torch.cat([piece.features for piece in pieces], dim=1),
        depth,
        alpha,
        torch.cat(regions, dim=1),
    )


def _cast_some(
    field: RegionField, rays: Rays, depths: AxisDepths, config: RenderConfig
) -> RenderedRays:
    rule = of_slanted_rays(config, depths.slant)
    return render_at_depths(field, rays, depths.along_ray, replace(config, sdf=rule))


def of_slanted_rays(config: RenderConfig, slant: Tensor) -> SdfRule:
    """Return the rule of rays whose last interval is measured along the camera's axis."""
    assert config.sdf is not None
    return replace(config.sdf, endless=config.sdf.endless * slant)


def spread(near: Tensor, far: Tensor, num: int, spacing: Spacing, draws: Tensor | None) -> Tensor:
    """Spread depths [v, r or 1, num] between two planes [v, 1, 1].

    Args:
        near: The nearer plane.
        far: The farther plane; with offset spacing no sample lies on it.
        num: How many.
        spacing: See `RegionSampling`.
        draws: See `plan_depths`.

    Reference: Or-El et al., StyleSDF (2022), supplement, on offset sampling.
    """
    if spacing == "offset":
        steps = torch.arange(num, device=near.device, dtype=near.dtype) / num
        depths = near * (1 - steps) + far * steps
        if draws is None:
            return depths
        return depths + draws * (torch.cat([depths[..., 1:], far], dim=-1) - depths)
    steps = torch.linspace(0, 1, num, device=near.device, dtype=near.dtype)
    depths = near * (1 - steps) + far * steps
    return depths if draws is None else stratified(depths, draws)


def stratified(depths: Tensor, draws: Tensor) -> Tensor:
    """Move each depth [..., s] within its bin, from middle to middle, by draws [..., s] in [0, 1).

    The first bin begins at the first depth, the last one ends at the last.
    """
    middles = (depths[..., 1:] + depths[..., :-1]) / 2
    lower = torch.cat([depths[..., :1], middles], dim=-1)
    upper = torch.cat([middles, depths[..., -1:]], dim=-1)
    return lower + (upper - lower) * draws


def draws_for(
    shape: tuple[int, int], num: int, spacing: Spacing, generator: torch.Generator
) -> Tensor:
    """Draw the random numbers of v x r rays; see `plan_depths`."""
    per_ray = 1 if spacing == "offset" else num
    return torch.rand(*shape, per_ray, generator=generator)
