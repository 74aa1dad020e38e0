"""Resizing images [b, c, h, w] to a square size, with the filters that EG3D knows."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from triptych.ops.upfirdn2d import downsample2d, fir_kernel, upsample2d

ResizeFilter = Literal["antialiased", "none", "classic"]
_CLASSIC_TAPS = (1.0, 3.0, 3.0, 1.0)


def resize(x: Tensor, size: int, *, filter_mode: ResizeFilter = "antialiased") -> Tensor:
    """Resize images [b, c, h, w] to [b, c, size, size], bilinear, corners not aligned.

    Args:
        x: Images; computed in float32 at least.
        size: Output height and width in pixels.
        filter_mode: "antialiased" widens the kernel when shrinking (no effect when enlarging);
            "none" is plain bilinear; "classic" up-samples by a FIR kernel, resizes bilinearly
            to twice the size and down-samples by the same kernel (StyleGAN2-ADA's way).

    Returns:
        Resized images in the dtype of x.
    """
    if filter_mode == "classic":
        kernel = fir_kernel(_CLASSIC_TAPS).to(x.device)
        upsampled = upsample2d(x, kernel)
        doubled = _bilinear(upsampled, 2 * size + 2, antialias=False)
        return downsample2d(doubled, kernel, crop=1)
    return _bilinear(x, size, antialias=filter_mode == "antialiased")


def _bilinear(x: Tensor, size: int, *, antialias: bool) -> Tensor:
    resized = F.interpolate(
        x.float(), size=(size, size), mode="bilinear", align_corners=False, antialias=antialias
    )
    return resized.to(x.dtype)
