"""Bias, activation, gain and clamp, in StyleGAN2's order."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = Literal["linear", "lrelu"]
SLOPE = 0.2
ACTIVATION_GAIN: dict[Activation, float] = {"linear": 1.0, "lrelu": math.sqrt(2.0)}


def bias_act(
    x: Tensor,
    bias: Tensor | None = None,
    *,
    scale: Tensor | None = None,
    noise: Tensor | None = None,
    activation: Activation = "linear",
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Return clamp(gain * activation_gain * activation(x * scale + noise + bias)).

    Args:
        x: Any floating tensor [b, c, ...].
        bias: One number per channel [c], or None.
        scale: One number per sample and channel [b, c], or None. Scaling here rather than before
            saves passes over x: both activations are positively homogeneous, so the gain joins
            the scale.
        noise: A tensor that broadcasts to x, or None.
        activation: "lrelu" is a leaky ReLU of slope 0.2 whose own gain is sqrt(2).
        gain: Non-negative extra gain.
        clamp: Results are limited to [-clamp, clamp]; the limit itself is not scaled by the gain.

    Returns:
        A tensor like x, in the dtype of x.
    """
    gain = gain * ACTIVATION_GAIN[activation]
    spread = [1] * (x.ndim - 2)
    if bias is not None:
        bias = bias.reshape(1, -1, *spread)
    if scale is None:
        for term in (noise, bias):
            x = x if term is None else x + term.to(x.dtype)
    else:
        factor = (scale * gain).reshape(*x.shape[:2], *spread).to(x.dtype)
        terms = [term for term in (noise, bias) if term is not None]
        offset = sum(terms[1:], terms[0]) * gain if terms else None
        x = x * factor if offset is None else torch.addcmul(offset.to(x.dtype), x, factor)
        gain = 1.0
    if activation == "lrelu":
        x = F.leaky_relu(x, SLOPE)
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)
