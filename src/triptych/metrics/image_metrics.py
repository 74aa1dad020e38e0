"""Metrics of images without a network: PSNR, intersection over union, sharpness."""

from __future__ import annotations

import torch
from torch import Tensor

# Two equal images have no finite ratio; this one means "equal to the last bit of a float".
HIGHEST_PSNR = 120.0


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB [b] of images [b, c, h, w] in [-1, 1]."""
    return psnr_from_mse((image - target).square().mean(dim=(1, 2, 3)))


def psnr_from_mse(mean_squared_error: Tensor, *, peak_to_peak: float = 2.0) -> Tensor:
    """Return the peak signal-to-noise ratio in dB, at most 120, of mean squared errors [...].

    Args:
        mean_squared_error: In squared units of the images.
        peak_to_peak: Width of the range of the images: 2 for images in [-1, 1].
    """
    ratio = 10 * torch.log10(peak_to_peak**2 / mean_squared_error)
    return ratio.clamp(max=HIGHEST_PSNR)


def masked_psnr(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB [b] over the masked pixels only.

    Args:
        image: Images [b, c, h, w] in [-1, 1].
        target: Images to compare with, same shape.
        mask: Weight of each pixel [b, 1, h, w] in [0, 1].

    Returns:
        Ratio [b]; nan where the mask is empty.
    """
    squared = (image - target).square().mean(dim=1, keepdim=True)
    weight = mask.to(squared.dtype)
    return psnr_from_mse((squared * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)))


def iou(alpha: Tensor, target_alpha: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Return the intersection over union [b] of two mattes [b, 1, h, w]; 1 if both are empty."""
    inside, target_inside = alpha > threshold, target_alpha > threshold
    both = (inside & target_inside).sum(dim=(1, 2, 3))
    either = (inside | target_inside).sum(dim=(1, 2, 3))
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both / 1.0))


def sharpness(image: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels [b]: blur lowers it."""
    across = (image[..., 1:] - image[..., :-1]).abs().mean(dim=(1, 2, 3))
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean(dim=(1, 2, 3))
    return 0.5 * (across + down)
