"""A convolution with equalised learning rate, activation and optional down-sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.ops.bias_act import Activation, bias_act
from triptych.ops.upfirdn2d import downsample2d, fir_kernel, upfirdn2d

RESAMPLE_FILTER = (1.0, 3.0, 3.0, 1.0)


class Conv2dLayer(nn.Module):
    """Convolution [b, i, h, w] -> [b, o, h, w], or half that size.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        kernel_size: Odd.
        bias: Add a bias.
        activation: After the bias, with its gain.
        down: Halve the size, with a FIR filter before the convolution.
        clamp: Limit of the results, scaled by the gain of each call.
        rng: Source of the initial weights.
    """

    resample_filter: Tensor

    def __init__(
        self,
        num_in: int,
        num_out: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activation: Activation = "linear",
        down: bool = False,
        clamp: float | None = None,
        resample_filter: Sequence[float] = RESAMPLE_FILTER,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.down = down
        self.clamp = clamp
        self.weight_gain = 1 / math.sqrt(num_in * kernel_size**2)
        self.register_buffer("resample_filter", fir_kernel(resample_filter))
        shape = (num_out, num_in, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(shape, generator=rng))
        self.bias = nn.Parameter(torch.zeros(num_out)) if bias else None

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        weight = self.weight * self.weight_gain
        padding = weight.shape[-1] // 2
        if not self.down:
            x = F.conv2d(x, weight, padding=padding)
        elif padding == 0:
            x = F.conv2d(downsample2d(x, self.resample_filter), weight)
        else:
            edge = padding + (self.resample_filter.shape[0] - 1) // 2
            x = upfirdn2d(x, self.resample_filter, padding=(edge, edge, edge, edge))
            x = F.conv2d(x, weight, stride=2)
        clamp = None if self.clamp is None else self.clamp * gain
        return bias_act(x, self.bias, activation=self.activation, gain=gain, clamp=clamp)
