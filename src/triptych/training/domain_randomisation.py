"""Domain randomisation of renders: another background, other light, blur and noise."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.ops.resize import resize_bilinear
from triptych.training.augmentation import Augmentation

_PHOTOMETRIC = Augmentation(zoom=0.0, shift=0.0)
_PATCHES = (1, 2, 4, 8)


def randomised(image: Tensor, alpha: Tensor | None, background: float, seed: int) -> Tensor:
    """Return a picture of the same head in the same pose with the variation of photographs.

    Args:
        image: Picture [3, s, s] in [-1, 1] over a plain background.
        alpha: Opacity of the head [1, s, s], in [0, 1]; None keeps the background.
        background: Value of the plain background.
        seed: Seed of all random numbers.
    """
    rng = torch.Generator().manual_seed(seed)
    if alpha is not None:
        image = image + (1 - alpha) * (_scenery(image.shape[-1], rng) - background)
    no_regions = torch.zeros(1, *image.shape[1:], dtype=torch.long)
    changed, _ = _PHOTOMETRIC(image[None], no_regions, rng)
    return changed[0]


def _scenery(size: int, rng: torch.Generator) -> Tensor:
    """Return soft blotches of random colours [3, size, size] about a random colour."""
    patches = _PATCHES[int(torch.randint(len(_PATCHES), (1,), generator=rng))]
    colour = 2 * torch.rand(3, 1, 1, generator=rng) - 1
    strength = torch.rand(1, generator=rng)
    blotches = 2 * torch.rand(1, 3, patches, patches, generator=rng) - 1
    return (colour + strength * resize_bilinear(blotches, size)[0]).clamp(-1, 1)
