"""Planes of a frozen generator for the heads of a set; most are made once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.ops.placement import device_of


class KnownPlanes:
    """Planes of heads by their attributes, in half precision in the CPU's memory.

    Args:
        generator: A generator whose latents are attributes; it does not learn.
        shards: The heads.
        kept: Heads whose planes are kept once they were made; those of others are made anew. Planes
            of the avatar generator take 1.5 MB each.
    """

    def __init__(self, generator: TriPlaneGenerator, shards: ShardSet, kept: int) -> None:
        self._generator, self._shards, self._most = generator, shards, kept
        self._kept: dict[int, Tensor] = {}

    def __call__(self, heads: list[int]) -> Tensor:
        """Return planes [b, 3, c, h, w] of b heads on the generator's device."""
        device = device_of(self._generator)
        return torch.cat([self._of(head).to(device, torch.float32) for head in heads])

    @torch.no_grad()
    def _of(self, head: int) -> Tensor:
        if head in self._kept:
            return self._kept[head]
        attributes = torch.from_numpy(np.array(self._shards.get("attributes", head)))[None]
        ws = self._generator.mapping(attributes.to(device_of(self._generator)))
        planes = synthesize_planes(self._generator, ws).half()
        if len(self._kept) < self._most:
            self._kept[head] = planes.cpu()
        return planes
