"""Resizing images [b, c, h, w] with the filters that EG3D knows."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from triptych.ops.precision import at_least_float32
from triptych.ops.upfirdn2d import downsample2d, fir_kernel, upsample2d

ResizeFilter = Literal["antialiased", "none", "classic"]
_CLASSIC_TAPS = (1.0, 3.0, 3.0, 1.0)


def resize(x: Tensor, size: int, *, filter_mode: ResizeFilter = "antialiased") -> Tensor:
    """Resize images [b, c, h, w] to [b, c, size, size], bilinear, corners not aligned.

    Args:
        x: Images; computed in float32 at least.
        size: Output height and width in pixels.
        filter_mode: "antialiased" widens the kernel when shrinking (no effect when up-sampling);
            "none" is plain bilinear; "classic" up-samples by a FIR kernel, resizes bilinearly
            to twice the size and down-samples by the same kernel (as in StyleGAN2-ADA).

    Returns:
        Resized images in the dtype of x.
    """
    if filter_mode == "classic":
        kernel = fir_kernel(_CLASSIC_TAPS).to(x.device)
        upsampled = upsample2d(x, kernel)
        doubled = resize_bilinear(at_least_float32(upsampled), 2 * size + 2).to(x.dtype)
        return downsample2d(doubled, kernel, crop=1)
    return resize_bilinear(at_least_float32(x), size, antialias=filter_mode == "antialiased").to(
        x.dtype
    )


def resize_bilinear(x: Tensor, size: int | tuple[int, int], *, antialias: bool = False) -> Tensor:
    """Resize maps [b, c, h, w] bilinearly in their own dtype, corners not aligned.

    Args:
        x: Maps; returned as they are when they have the size already.
        size: Output height and width, or both in one.
        antialias: Widen the kernel when shrinking.
    """
    height_width = (size, size) if isinstance(size, int) else size
    if tuple(x.shape[-2:]) == height_width:
        return x
    return F.interpolate(
        x, size=height_width, mode="bilinear", align_corners=False, antialias=antialias
    )


def fit_size(image: Tensor, size: int) -> Tensor:
    """Resize square images [b, c, h, w] to [b, c, size, size].

    Larger images are averaged over areas, smaller ones are interpolated bilinearly.
    """
    if image.shape[-1] > size:
        return F.adaptive_avg_pool2d(image, size)
    return resize_bilinear(image, size)
