"""Which surfaces a ray passes close by: its own, and those that its neighbours meet.

A ray that just misses a head passes through the thin space in front of the outline. Unless samples
lie there, density in it costs a training nothing, and the head swells by a pixel or two.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_NEIGHBOUR_DEVIATION = 2.0  # pixels


def nearby_surfaces(
    depth: Tensor,
    known: Tensor,
    pixels: Tensor,
    num_samples: int,
    reach: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Choose a surface for every sample that is to lie near one.

    The first half of a ray's samples belong to its own pixel, the others to pixels close to it.
    A pixel that shows no surface takes that of the nearest one that does.

    Args:
        depth: Pictures of depth [b, h, w].
        known: Where they show a surface [b, h, w], bool.
        pixels: Column and row of each ray's pixel [b, r, 2], whole numbers.
        num_samples: Samples per ray, n.
        reach: Pixels beyond which a surface counts as far away.
        generator: Source of the draws.

    Returns:
        Depths [b, r, n] of the chosen surfaces, and whether there is one [b, r, n].
    """
    depth, found = spread_outwards(depth, known, reach)
    views = torch.arange(len(depth), device=depth.device)[:, None].expand(pixels.shape[:2])
    return surfaces_beside(depth, found, views, pixels, num_samples, generator)


def surfaces_beside(
    depth: Tensor,
    found: Tensor,
    views: Tensor,
    pixels: Tensor,
    num_samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Choose a surface for every sample as `nearby_surfaces` does, of rays of any of the pictures.

    Args:
        depth: Pictures of depth, already spread outwards [v, h, w].
        found: Where there is one [v, h, w], bool.
        views: Picture of each ray [b, r].
        pixels: Column and row of each ray's pixel [b, r, 2], whole numbers.
        num_samples: Samples per ray, n.
        generator: Source of the draws.

    Returns:
        Depths [b, r, n] of the chosen surfaces, and whether there is one [b, r, n].
    """
    height, width = depth.shape[1:]
    offsets = torch.randn(*pixels.shape[:2], num_samples, 2, generator=generator)
    offsets = (offsets * _NEIGHBOUR_DEVIATION).round()
    offsets[:, :, : (num_samples + 1) // 2] = 0
    place = pixels.long()[:, :, None] + offsets.long().to(pixels.device)
    column, row = place[..., 0].clamp(0, width - 1), place[..., 1].clamp(0, height - 1)
    index = (views[..., None] * height + row) * width + column
    return depth.flatten()[index], found.flatten()[index]


def spread_outwards(depth: Tensor, known: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Continue pictures of depth [b, h, w] beyond the outline, pixel by pixel.

    Args:
        depth: Depths; only those at known places count.
        known: Where they are known [b, h, w], bool.
        reach: How many pixels to go, along rows, columns and diagonals.

    Returns:
        Depths, each new one the mean of its neighbours', and where there are some now.
    """
    # Depth where it is known and 0 elsewhere, and whether it is: sums over both give the mean.
    pair = torch.stack([torch.where(known, depth, 0.0), known.to(depth.dtype)])
    for _ in range(reach):
        total, count = _sum_of_neighbourhood(pair)
        beyond = (pair[1] == 0) & (count > 0)
        pair[0] = torch.where(beyond, total / count.clamp(min=1), pair[0])
        pair[1] = torch.where(beyond, 1.0, pair[1])
    return pair[0], pair[1] > 0


def _sum_of_neighbourhood(pictures: Tensor) -> Tensor:
    """Return the sums over every pixel's 3 x 3 neighbourhood, of pictures [..., h, w]."""
    padded = F.pad(pictures, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
