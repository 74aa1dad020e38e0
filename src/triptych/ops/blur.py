"""The blur that EG3D applies to images at the start of training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from triptych.ops.upfirdn2d import upfirdn2d


def halving_blur(x: Tensor, sigma: float) -> Tensor:
    """Blur with the separable weight 2 ** -(distance / sigma) ** 2, zero padded.

    Args:
        x: Images [b, c, h, w].
        sigma: Distance in pixels at which the weight has halved; below 1/3 the image is returned.
    """
    reach = math.floor(3 * sigma)
    if reach == 0:
        return x
    distance = torch.arange(-reach, reach + 1, dtype=torch.float32, device=x.device)
    taps = torch.exp2(-((distance / sigma) ** 2))
    taps = taps / taps.sum()
    x = upfirdn2d(x, taps[None, :], padding=(reach, reach, 0, 0))
    return upfirdn2d(x, taps[:, None], padding=(0, 0, reach, reach))
