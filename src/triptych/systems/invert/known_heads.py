"""The heads that a generator makes by itself: many seeds' latents and the style codes of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.models.eg3d import TriPlaneGenerator

_SEEDS = 6000
_SEEDS_PER_CODE_ENTRY = 4


@dataclass(frozen=True, eq=False)
class KnownHeads:
    """Seeds of a generator, from 0 up.

    Attributes:
        latents: Latents [n, z_dim].
        codes: Style codes of the frontal camera [n, w_dim].
    """

    latents: Tensor
    codes: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, generator: TriPlaneGenerator) -> KnownHeads:
        """Return enough heads of a generator to say what is usual for it."""
        config = generator.config
        seeds = range(max(_SEEDS, _SEEDS_PER_CODE_ENTRY * config.w_dim))
        latents = torch.cat([generator.latent(seed) for seed in seeds])
        return cls(latents, generator.mapping(latents)[:, 0])

    def nearest(self, code: Tensor, unit: Tensor, count: int) -> Tensor:
        """Return the numbers of the heads nearest to a style code, nearest first.

        Args:
            code: Style code [d].
            unit: What each entry's distance counts in [d].
            count: How many heads.
        """
        distance = ((self.codes - code) / unit).square().mean(dim=1)
        return distance.topk(min(count, len(distance)), largest=False).indices
