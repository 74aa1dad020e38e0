"""Random backgrounds: plain, shaded, blotchy and cluttered."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from triptych.ops.resize import resize_bilinear
from triptych.training.augmentation import even_draws

_SHAPES = 14  # of a cluttered background


def random_backgrounds(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Return plain, shaded, blotchy and cluttered backgrounds [count, 3, size, size] in [-1, 1]."""
    coarse = size // 2
    background = even_draws(generator, count, 3, 1, 1).expand(count, 3, coarse, coarse).clone()
    cluttered = (torch.rand(count, generator=generator) < 0.5).nonzero()[:, 0]
    if len(cluttered):
        background[cluttered] = _clutter(background[cluttered], generator)
    for cells, strength in ((2, 0.8), (5, 0.5), (16, 0.4), (coarse, 0.2)):
        grey = torch.rand(count, 1, 1, 1, generator=generator)
        noise = torch.randn(count, 3, cells, cells, generator=generator)
        noise = grey * noise[:, :1] + (1 - grey) * noise
        amount = strength * torch.rand(count, 1, 1, 1, generator=generator).square()
        background += amount * resize_bilinear(noise, coarse)
    grey = background.mean(1, keepdim=True)
    colourful = torch.rand(count, 1, 1, 1, generator=generator)
    background = grey + colourful * (background - grey)
    return resize_bilinear(background, size).clamp(-1, 1)


def _clutter(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw overlapping shapes of many sizes over images: edges and areas as in photographs."""
    count, size = len(image), image.shape[-1]
    steps = (torch.arange(size) + 0.5) / size - 0.5
    for _ in range(_SHAPES):
        centre = 0.6 * even_draws(generator, count, 2, 1, 1)
        half = 0.03 + 0.45 * torch.rand(count, 2, 1, 1, generator=generator).square()
        angle = math.pi * torch.rand(count, 1, 1, generator=generator)
        x, y = steps[None, None, :] - centre[:, 0], steps[None, :, None] - centre[:, 1]
        along = ((angle.cos() * x + angle.sin() * y) / half[:, 0]).abs()
        across = ((angle.cos() * y - angle.sin() * x) / half[:, 1]).abs()
        round_one = torch.rand(count, 1, 1, generator=generator) < 0.6
        far = torch.where(round_one, along.square() + across.square(), torch.maximum(along, across))
        colour = even_draws(generator, count, 3, 1, 1)
        shade = 0.4 * torch.randn(count, 1, 1, 1, generator=generator) * along[:, None].clamp(max=1)
        image = torch.where(far[:, None] < 1, colour + shade, image)
    return image
