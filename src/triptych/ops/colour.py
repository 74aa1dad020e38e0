"""Between float images in [-1, 1] and 8-bit pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Rounding = Literal["nearest", "eg3d"]


def to_uint8(images: Tensor, *, rounding: Rounding = "nearest") -> Tensor:
    """Turn float images into 8-bit pixels.

    Args:
        images: [v, c, h, w], nominally in [-1, 1]; values beyond are clipped.
        rounding: "nearest" maps [-1, 1] to [0, 255] and rounds, so that `from_uint8` is undone
            exactly; "eg3d" floors 127.5 * x + 128, as EG3D's scripts do.

    Returns:
        uint8 pixels [v, h, w, c].
    """
    offset = 128.0 if rounding == "eg3d" else 127.5
    pixels = images.float() * 127.5 + offset
    if rounding == "nearest":
        pixels = pixels.round()
    return pixels.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def from_uint8(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels [v, h, w, c] into float32 images [v, c, h, w] in [-1, 1]."""
    return (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()
