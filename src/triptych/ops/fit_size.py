"""Bringing pictures to the side that a network expects."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def fit_size(image: Tensor, size: int) -> Tensor:
    """Bring pictures [b, c, h, w] to [b, c, size, size]: averaged when larger, else bilinear.

    Args:
        image: Square pictures.
        size: Side to be, in pixels.
    """
    if image.shape[-1] > size:
        return functional.adaptive_avg_pool2d(image, size)
    if image.shape[-1] == size:
        return image
    return functional.interpolate(image, (size, size), mode="bilinear", align_corners=False)
