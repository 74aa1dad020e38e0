"""Square patches of a picture's rays, close together or spread out."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.render.rays import Rays


def draw_patches(
    num: int, size: int, patch: int, strides: tuple[int, ...], generator: torch.Generator
) -> tuple[Tensor, int]:
    """Draw square patches of pixels, as often near the borders as in the middle.

    Args:
        num: How many patches b.
        size: Side of the picture in pixels.
        patch: Side of a patch in rays; at most `size` is used.
        strides: Pixel steps between rays; those that do not fit are not drawn.
        generator: Source of the draws.

    Returns:
        Row-major pixel indices [b, r] on the CPU, and the side of the patches.
    """
    side = min(patch, size)
    fitting = [stride for stride in strides if stride * (side - 1) < size] or [1]
    chosen = torch.randint(len(fitting), (num,), generator=generator)
    return torch.stack([_one(size, side, fitting[int(i)], generator) for i in chosen]), side


def rays_of(rays: Rays, pixels: Tensor) -> Rays:
    """Return the rays of pixels [b, r] out of all rays [b, size * size, 3] of b pictures."""
    index = pixels.to(rays.origins.device)[..., None].expand(-1, -1, 3)
    return Rays(rays.origins.gather(1, index), rays.directions.gather(1, index))


def corner_round(centre: int, extent: int, size: int) -> int:
    """Return the first row (or column) of a patch round a pixel, moved inside the picture.

    Corners drawn evenly would hardly ever include the outermost pixels; centres drawn evenly do.

    Args:
        centre: Row or column of the pixel, in [0, size).
        extent: Rows that the patch spans.
        size: Side of the picture.
    """
    return min(max(centre - extent // 2, 0), size - extent)


def _one(size: int, side: int, stride: int, generator: torch.Generator) -> Tensor:
    extent = stride * (side - 1) + 1
    centres = torch.randint(size, (2,), generator=generator).tolist()
    top, left = (corner_round(centre, extent, size) for centre in centres)
    steps = stride * torch.arange(side)
    return ((top + steps)[:, None] * size + (left + steps)[None]).flatten()
