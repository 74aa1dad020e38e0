"""Pictures of flat splats: every pixel asks every splat, from the nearest to the farthest.

This is the readable form and the oracle; `fast_compositing` gives the same in little time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.export.splats.projection import FlatSplats, conics

# The published rasteriser's: the largest opacity of a splat at a pixel, the smallest that counts,
# and the light below which a ray ends.
MOST_ALPHA, LEAST_ALPHA, LEAST_LIGHT = 0.99, 1 / 255, 1e-4


def composite(flat: FlatSplats, size: int) -> Tensor:
    """Return a picture [c, size, size] of splats over nothing; differentiable.

    The splat that would leave less than `LEAST_LIGHT` is left out with all behind it.
    """
    line = torch.arange(size, dtype=flat.means.dtype) + 0.5
    across = line[None, :, None] - flat.means[:, 0]
    inverse = conics(flat.variances)
    rows = []
    for y in line:
        down = (y - flat.means[:, 1])[None, None]
        distance = inverse[:, 0] * across**2 + 2 * inverse[:, 1] * across * down
        distance = (distance + inverse[:, 2] * down**2)[0]
        alpha = (flat.opacities * torch.exp(-0.5 * distance)).clamp_max(MOST_ALPHA)
        alpha = alpha * (alpha >= LEAST_ALPHA)
        left = torch.cumprod(1 - alpha, dim=1)
        before = torch.cat([torch.ones_like(left[:, :1]), left[:, :-1]], 1)
        rows.append((alpha * before * (left >= LEAST_LIGHT)) @ flat.values)
    return torch.stack(rows).permute(2, 0, 1)
