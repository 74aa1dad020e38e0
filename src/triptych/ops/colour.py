"""Between float images in [-1, 1] and 8-bit pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def to_uint8(images: Tensor) -> Tensor:
    """Turn float images into 8-bit pixels, rounding to the nearest, halves up.

    Floor of 127.5 * x + 128 is at once EG3D's rule and the exact inverse of `from_uint8`.

    Args:
        images: [v, c, h, w], nominally in [-1, 1]; values beyond are clipped.

    Returns:
        uint8 pixels [v, h, w, c].
    """
    pixels = (images.float() * 127.5 + 128).clamp(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def from_uint8(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels [v, h, w, c] into float32 images [v, c, h, w] in [-1, 1]."""
    return (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()
