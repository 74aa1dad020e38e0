"""Mean and spread of a generator's planes, for networks that learn to predict them."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.precision import half_precision_where_fast

_FIRST_SEED, _HEADS, _HEADS_AT_ONCE = 100_000, 256, 8


@torch.no_grad()
def plane_statistics(generator: TriPlaneGenerator) -> tuple[Tensor, Tensor]:
    """Return the mean plane [3, c, h, w] and the spread about it per channel [3, c, 1, 1]."""
    total: Tensor | float = 0.0
    total_of_squares: Tensor | float = 0.0
    seeds = range(_FIRST_SEED, _FIRST_SEED + _HEADS)
    latents = torch.cat([generator.latent(seed) for seed in seeds])
    for part in latents.split(_HEADS_AT_ONCE):
        with half_precision_where_fast(part.device):
            planes = generator.planes(generator.mapping(part)).double()
        total, total_of_squares = total + planes.sum(0), total_of_squares + planes.square().sum(0)
    mean = torch.as_tensor(total) / _HEADS
    variance = torch.as_tensor(total_of_squares) / _HEADS - mean.square()
    spread = variance.mean((2, 3), keepdim=True).clamp(min=1e-8).sqrt()
    return mean.float(), spread.float()
