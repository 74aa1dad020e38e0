"""Numbers that compare images of heads: signal to noise, overlap, identity, style, look."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.metrics.perceptual import PerceptualDistance
from triptych.metrics.style_classifier import StyleClassifier, style_index

_PEAK_TO_PEAK = 2.0
# A perfect match has no finite ratio; this one means "equal to the last bit of a float".
HIGHEST_PSNR = 120.0


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB [b] of images [b, c, h, w] in [-1, 1]."""
    return _psnr_of_error((image - target).square().mean(dim=(1, 2, 3)))


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
    return _psnr_of_error((squared * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)))


def _psnr_of_error(mean_squared_error: Tensor) -> Tensor:
    ratio = 10 * torch.log10(_PEAK_TO_PEAK**2 / mean_squared_error)
    return ratio.clamp(max=HIGHEST_PSNR)


def iou(alpha: Tensor, target_alpha: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Return the intersection over union [b] of two coverages [b, 1, h, w]; 1 if both are empty."""
    inside, target_inside = alpha > threshold, target_alpha > threshold
    both = (inside & target_inside).sum(dim=(1, 2, 3))
    either = (inside | target_inside).sum(dim=(1, 2, 3))
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both / 1.0))


def identity_kept(edited: Tensor, source: Tensor, other: Tensor) -> Tensor:
    """Return [b] whether an edited head is nearer to its source than to another head.

    Args:
        edited: Unit identity features [b, d] of the edited pictures.
        source: Of the pictures before the edit.
        other: Of other heads.
    """
    return (edited * source).sum(dim=1) > (edited * other).sum(dim=1)


def style_recognised(classifier: StyleClassifier, image: Tensor, style: str) -> Tensor:
    """Return [b] whether the classifier's first answer is the given style."""
    return classifier.probabilities(image).argmax(dim=1) == style_index(classifier, style)


def style_probability(classifier: StyleClassifier, image: Tensor, style: str) -> Tensor:
    """Return the classifier's probability [b] of the given style."""
    return classifier.probabilities(image)[:, style_index(classifier, style)]


def perceptual(distance: PerceptualDistance, image: Tensor, target: Tensor) -> Tensor:
    """Return the perceptual distance [b] of images [b, 3, h, w] in [-1, 1]."""
    return distance(image, target)


def sharpness(image: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels [b]: blur lowers it."""
    across = (image[..., 1:] - image[..., :-1]).abs().mean(dim=(1, 2, 3))
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean(dim=(1, 2, 3))
    return 0.5 * (across + down)
