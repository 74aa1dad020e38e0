"""Mean and spread of a generator's style codes: where inversion starts and its unit of length."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.models.eg3d import TriPlaneGenerator

_AT_ONCE = 4096
_SMALLEST_SPREAD = 1e-3


@torch.no_grad()
def latent_statistics(generator: TriPlaneGenerator, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of style codes, each [num_ws, w_dim].

    Args:
        generator: Models that are conditioned on cameras are given the frontal one.
        latents: Many latents [n, z_dim]; mapped in parts.
    """
    codes = torch.cat([generator.mapping(part)[:, 0] for part in latents.split(_AT_ONCE)]).double()
    mean, std = codes.mean(dim=0), codes.std(dim=0).clamp(min=_SMALLEST_SPREAD)
    rows = (generator.num_ws, 1)
    return mean.float().repeat(*rows), std.float().repeat(*rows)


def normal_latents(count: int, z_dim: int, seed: int) -> Tensor:
    """Return latents [count, z_dim] of independent normal numbers."""
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed))
