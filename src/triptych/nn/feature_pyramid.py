"""The three feature maps from which pSp's style heads read: coarse, middle and fine."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def feature_pyramid(
    x: Tensor, body: nn.Sequential, units: Sequence[int], lateral: tuple[nn.Module, nn.Module]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the coarse, middle and fine features of a stem's map [b, c, s, s].

    All have as many channels as the last group of units; their sides are s / 16, s / 8 and s / 4.

    Args:
        x: What the stem makes.
        body: Residual units in a row; see `ir_se.residual_body`.
        units: How many of them each of the four groups has.
        lateral: Bring the third and the second group to the width of the last.

    Reference: Lin et al., Feature Pyramid Networks (2017); Richardson et al., pSp (2021).
    """
    ends = []
    for unit in body:
        x = unit(x)
        ends.append(x)
    first, second, third, fourth = units
    fine = ends[first + second - 1]
    middle = ends[first + second + third - 1]
    coarse = ends[first + second + third + fourth - 1]
    to_middle, to_fine = lateral
    middle = merge_levels(coarse, to_middle(middle))
    return coarse, middle, merge_levels(middle, to_fine(fine))


def merge_levels(coarser: Tensor, finer: Tensor) -> Tensor:
    """Upsample a coarser map [b, c, h, w] to a finer one and add the two; corners are aligned."""
    upsampled = functional.interpolate(
        coarser, size=finer.shape[-2:], mode="bilinear", align_corners=True
    )
    return upsampled + finer
