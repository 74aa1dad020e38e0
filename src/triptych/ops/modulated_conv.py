"""Convolution whose input channels are scaled per sample by a style (StyleGAN2)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError
from triptych.ops.precision import at_least_float32
from triptych.ops.upfirdn2d import upfirdn2d

Modulation = Literal["weights", "activations"]
UpConvolution = Literal["two_step", "composed"]
EPSILON = 1e-8


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    demodulate: bool = True,
    up_kernel: Tensor | None = None,
    modulation: Modulation = "weights",
    up_convolution: UpConvolution = "two_step",
) -> Tensor:
    """Convolve with weights scaled by styles, optionally up-sampling the map twice.

    Args:
        x: Activations [b, i, h, w].
        weight: Shared weights [o, i, k, k], k odd; the border is padded with zeros.
        styles: Scale of each input channel [b, i], float32.
        demodulate: Scale every output channel to unit expected variance.
        up_kernel: FIR kernel [t, t], t even: the map is up-sampled twice by a transposed
            convolution smoothed with this kernel. None keeps the size.
        modulation: Where the styles are multiplied in: into per-sample "weights" (grouped
            convolution) or into the "activations" before and after one shared convolution, which
            is faster in training. Equal up to rounding.
        up_convolution: "two_step" runs the transposed convolution, then the FIR kernel; "composed"
            runs one transposed convolution with their composed kernel. Equal up to rounding.

    Returns:
        Activations [b, o, h, w], or [b, o, 2h, 2w] with an up kernel, in the compute dtype of x.

    Reference: Karras et al., StyleGAN2 (2020), equations 1 and 3.
    """
    if modulation == "activations":
        x = x * styles[:, :, None, None].to(x.dtype)
        x = _convolve(x, weight, up_kernel, up_convolution, groups=1)
        return x * demodulation(weight, styles)[:, :, None, None].to(x.dtype) if demodulate else x
    batch, in_channels, height, width = x.shape
    per_sample = weight[None] * styles[:, None, :, None, None]  # [b, o, i, k, k]
    if demodulate:
        energy = per_sample.square().sum(dim=(2, 3, 4), keepdim=True)
        per_sample = per_sample * torch.rsqrt(energy + EPSILON)
    x = x.reshape(1, batch * in_channels, height, width)
    x = _convolve(x, per_sample.flatten(0, 1), up_kernel, up_convolution, groups=batch)
    return x.reshape(batch, -1, *x.shape[2:])


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Return the inverse norm of the styled weights of each output channel [b, o].

    Computed in float32 whatever the autocast mode.

    Args:
        weight: Shared weights [o, i, k, k].
        styles: Scale of each input channel [b, i].
    """
    with torch.autocast(weight.device.type, enabled=False):
        energy = at_least_float32(weight).square().sum(dim=(2, 3))  # [o, i]
        return torch.rsqrt(at_least_float32(styles).square() @ energy.t() + EPSILON)


def _convolve(
    x: Tensor,
    weight: Tensor,
    up_kernel: Tensor | None,
    up_convolution: UpConvolution,
    groups: int,
) -> Tensor:
    if up_kernel is None:
        return F.conv2d(x, weight.to(x.dtype), padding=weight.shape[-1] // 2, groups=groups)
    taps = up_kernel.shape[0]
    if taps % 2:
        raise UserError(f"resample filter has {taps} taps; expected an even number")
    if up_convolution == "composed":
        with torch.autocast(x.device.type, enabled=False):
            weight = compose_with_fir(weight, up_kernel * 4)
        transposed = _swap_in_and_out(weight, groups).to(x.dtype)
        return F.conv_transpose2d(x, transposed, stride=2, padding=taps // 2, groups=groups)
    transposed = _swap_in_and_out(weight, groups).to(x.dtype)
    x = F.conv_transpose2d(x, transposed, stride=2, groups=groups)
    edge = taps // 2 - 1
    return upfirdn2d(x, up_kernel, padding=(edge, edge, edge, edge), gain=4)


def compose_with_fir(weight: Tensor, kernel: Tensor) -> Tensor:
    """Return weights [o, i, k + t - 1, k + t - 1]: each kernel convolved with a FIR kernel [t, t].

    A transposed convolution followed by a FIR filter is one transposed convolution with these.
    The composition is linear in the weights, so it is one small matrix product.
    """
    size, taps = weight.shape[-1], kernel.shape[0]
    spread = kernel.new_zeros(size, size, size + taps - 1, size + taps - 1)
    for row in range(size):
        for column in range(size):
            spread[row, column, row : row + taps, column : column + taps] = kernel
    composed = weight.flatten(2) @ spread.reshape(size * size, -1)
    return composed.unflatten(2, spread.shape[2:])


def _swap_in_and_out(weight: Tensor, groups: int) -> Tensor:
    """Reorder [groups * o, i, k, k] into the [groups * i, o, k, k] of transposed convolutions."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
