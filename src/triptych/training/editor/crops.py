"""Crops of latents and of the pictures that they decode to.

A decoder of crops costs a part of one of whole pictures, but near the edge of a crop it reads zeros
where the whole latent goes on. Those pixels do not count, except at the border of the picture,
where the decoder meets zeros at inference too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PIXELS = 4
"""Pixels of a picture per position of a latent, along each axis."""


@dataclass(frozen=True)
class CropPlan:
    """Where crops are taken.

    Attributes:
        size: Side of a crop in latent positions.
        margin: Pixels at an inner edge that do not count; the reach of the decoder's convolutions.
        feature_share: Share of the crops with an eye, a brow, the mouth or the nose.
        free_share: Share of the crops placed anywhere; the others contain a part of the head.
    """

    size: int = 18
    margin: int = 4
    feature_share: float = 0.5
    free_share: float = 0.15


# Regions: 0 is the background; eye, brow, mouth and nose are small.
_SMALL_FEATURES = (2, 3, 4, 5)


@dataclass(frozen=True)
class Crop:
    """One crop of a square picture, in latent positions.

    Attributes:
        top: First row.
        left: First column.
        size: Side.
        whole: Side of the whole latent.
    """

    top: int
    left: int
    size: int
    whole: int

    def of_latent(self, latent: Tensor) -> Tensor:
        """Return the crop of a latent [...,h,w]."""
        return self._cut(latent, 1)

    def of_picture(self, picture: Tensor) -> Tensor:
        """Return the crop of a picture [...,4h,4w]."""
        return self._cut(picture, PIXELS)

    def counted(self, margin: int) -> Tensor:
        """Return which of its pixels count [4 size, 4 size], 0 or 1: no inner margin does."""
        rows, columns = (self._inside(first, margin) for first in (self.top, self.left))
        return rows[:, None] * columns[None, :]

    def _inside(self, first: int, margin: int) -> Tensor:
        inside = torch.ones(PIXELS * self.size)
        if first > 0:
            inside[:margin] = 0
        if first + self.size < self.whole:
            inside[-margin:] = 0
        return inside

    def _cut(self, values: Tensor, scale: int) -> Tensor:
        top, left, side = scale * self.top, scale * self.left, scale * self.size
        return values[..., top : top + side, left : left + side]


def draw_crop(regions: np.ndarray, plan: CropPlan, rng: np.random.Generator) -> Crop:
    """Draw a crop of a picture with a region map [h,w]."""
    latent_size = regions.shape[0] // PIXELS
    size = min(plan.size, latent_size)
    draw = rng.random()
    if draw < plan.feature_share:
        wanted = np.flatnonzero(np.isin(regions, _SMALL_FEATURES))
    elif draw < 1 - plan.free_share:
        wanted = np.flatnonzero(regions > 0)
    else:
        wanted = np.empty(0, np.int64)
    if len(wanted):
        inside = np.array(np.divmod(int(rng.choice(wanted)), regions.shape[1])) // PIXELS
        # The pixel lies in the inner half of the crop.
        corner = inside - rng.integers(size // 4, size - size // 4, 2)
    else:
        corner = rng.integers(0, latent_size - size + 1, 2)
    top, left = np.clip(corner, 0, latent_size - size)
    return Crop(int(top), int(left), size, latent_size)
