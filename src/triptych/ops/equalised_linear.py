"""Linear maps whose stored weights have unit variance (equalised learning rate)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor


def equalised_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, lr_multiplier: float = 1.0
) -> Tensor:
    """Apply weight * lr_multiplier / sqrt(fan_in) and bias * lr_multiplier.

    Args:
        x: [..., i]; the layer computes in its dtype, whatever that of the weights.
        weight: Stored weights [o, i], about unit variance divided by lr_multiplier.
        bias: Stored bias [o], or None.
        lr_multiplier: Slows the learning of this layer relative to others.

    Returns:
        [..., o].

    Reference: Karras et al., Progressive Growing of GANs (2018), section 4.1.
    """
    scaled = weight * (lr_multiplier / math.sqrt(weight.shape[1]))
    if bias is not None and lr_multiplier != 1:
        bias = bias * lr_multiplier
    return F.linear(x, scaled.to(x.dtype), None if bias is None else bias.to(x.dtype))
