"""Few samples per ray, most of them where a field's surface is; found without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.fields.base import Field
from triptych.render.depth_samplers import importance_depths, stratified_depths
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig


@torch.no_grad()
def surface_depths(
    field: Field,
    rays: Rays,
    config: RenderConfig,
    jitter: Tensor,
    uniform: Tensor,
    *,
    keep_every: int = 2,
) -> Tensor:
    """Find the surface by its geometry alone and place samples there.

    A renderer that is to be trained through needs no gradient to find the surface; with some of
    the spread samples and some round the surface it costs a fraction of the two passes.

    Args:
        field: Whose surface.
        rays: Rays [b, r, 3].
        config: Fixed ray limits and the marching rule.
        jitter: Offsets of the spread samples in their bins [b, r, s], in [0, 1).
        uniform: Positions of the samples round the surface on the cdf [b, r, f], in [0, 1].
        keep_every: Every so many spread samples are returned too.

    Returns:
        Sorted depths [b, r, ceil(s / keep_every) + f].

    Raises:
        UserError: The ray limits are "auto".
    """
    near, far = config.fixed_limits("training through patches")
    spread = stratified_depths(near, far, jitter.shape[-1], jitter=jitter)
    geometry = field.geometry(rays.points(spread).flatten(1, 2)).reshape(spread.shape).float()
    weights = config.rule.interval_weights(geometry, spread)
    close = importance_depths(spread, weights, uniform)
    return torch.cat([spread[..., ::keep_every], close], dim=-1).sort(dim=-1).values
