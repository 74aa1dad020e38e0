"""Conversions of colours: float images and 8-bit pixels, sRGB and linear light."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.errors import UserError, check_type

_FARTHEST = 2.0
"""Resampling and super-resolution leave [-1, 1] a little; pixels of 0 to 255 do by far."""


def check_images(name: str, images: Tensor) -> None:
    """Say what images [v, 3, h, w] in [-1, 1] should have been.

    Raises:
        UserError: They are no dense float tensor of that shape, empty, not finite or of another
            range.
    """
    check_type(name, images, Tensor)
    shaped = images.ndim == 4 and images.shape[1] == 3 and images.numel() > 0
    if not shaped or not images.is_floating_point():
        raise UserError(
            f"{name}: got {images.dtype} {list(images.shape)}; expected floats [v, 3, h, w] "
            "in [-1, 1]"
        )
    if images.is_meta or images.layout != torch.strided:
        raise UserError(f"{name}: got a tensor without values in memory; expected a dense one")
    low, high = images.aminmax()
    if not -_FARTHEST <= float(low) <= float(high) <= _FARTHEST:  # not of NaN either
        raise UserError(f"{name}: got values from {low:g} to {high:g}; expected -1 to 1")


def check_pixels(name: str, pixels: Any) -> None:
    """Say what pixels uint8 [h, w, 3] should have been.

    Raises:
        UserError: They are no such array, or of no size.
    """
    check_type(name, pixels, np.ndarray)
    shaped = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0
    if not shaped or pixels.dtype != np.uint8:
        raise UserError(
            f"{name}: got {pixels.dtype} {list(pixels.shape)}; expected pixels uint8 [h, w, 3]"
        )


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


def linear_from_srgb(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert sRGB values in [0, 1] to linear light in [0, 1].

    Reference: IEC 61966-2-1.
    """
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
