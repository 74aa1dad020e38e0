"""Where each ray is sampled: fixed limits, or where the ray crosses the field's cube."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from triptych.render.rays import Rays

MissedRays = Literal["legacy", "corrected"]
Scope = Literal["image", "batch"]


def box_limits(rays: Rays, box_size: float) -> tuple[Tensor, Tensor, Tensor]:
    """Intersect rays with the cube of side `box_size` around the origin (slab test).

    Returns:
        Depth of entry [b, r], depth of exit [b, r], and whether the ray's line meets the cube.
    """
    half = box_size / 2
    inverse = 1 / rays.directions
    # A ray inside a face's plane gives 0 * inf; that face then sets no limit.
    low = torch.nan_to_num((-half - rays.origins) * inverse, nan=-torch.inf)
    high = torch.nan_to_num((half - rays.origins) * inverse, nan=torch.inf)
    near = torch.minimum(low, high).amax(dim=-1)
    far = torch.maximum(low, high).amin(dim=-1)
    return near, far, near <= far


def automatic_limits(
    rays: Rays, box_size: float, *, missed: MissedRays = "legacy", scope: Scope = "image"
) -> tuple[Tensor, Tensor]:
    """Return near and far depths [b, r] at the cube's faces, with limits for rays that miss it.

    Args:
        rays: Rays [b, r, 3].
        box_size: Side of the cube.
        missed: Limits of rays that miss the cube. "legacy" is EG3D's rule: from the smallest near
            depth to the largest *near* depth of the rays that hit; "corrected" goes to their
            largest far depth. When no ray hits, both leave the mark -1, -2.
        scope: Whether those extremes are taken over each image or over the whole batch (EG3D).
    """
    near, far, hit = box_limits(rays, box_size)
    last = near if missed == "legacy" else far
    dims = (1,) if scope == "image" else (0, 1)
    nearest = torch.where(hit, near, torch.inf).amin(dim=dims, keepdim=True)
    farthest = torch.where(hit, last, -torch.inf).amax(dim=dims, keepdim=True)
    any_hit = hit.any(dim=1, keepdim=True) if scope == "image" else hit.any()
    near_of_missed = torch.where(any_hit, nearest, -1.0)
    far_of_missed = torch.where(any_hit, farthest, -2.0)
    return torch.where(hit, near, near_of_missed), torch.where(hit, far, far_of_missed)
