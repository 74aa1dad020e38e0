"""Compiled kernel that multiplies a style into convolution weights, in one pass over them."""

from __future__ import annotations

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel
from triptych.ops.kernel_math import narrow
from triptych.ops.modulated_conv import EPSILON

_EPSILON = np.float32(EPSILON)
_ZERO = np.float32(0)


@kernel
def modulate_part(start, stop, weight, styles, gain, taps, kernels):
    """Fill in the output channels start..stop of styled, demodulated kernels.

    Args:
        start: First output channel.
        stop: End of the output channels.
        weight: Shared weights [o, i, t], float32.
        styles: Scale of each input channel [i], float32.
        gain: Scale of everything, float32.
        taps: For each kernel, which taps of the weights it holds, in its order [n], int64.
        kernels: Kernels [o, n, i], float32 or bfloat16 as 16-bit integers.
    """
    for channel in range(start, stop):
        scale = gain / np.sqrt(_energy(weight, channel, styles) + _EPSILON)
        for index in range(len(kernels)):
            for position, tap in enumerate(taps[index]):
                _scale(weight, channel, tap, styles, scale, kernels[index], position)


@njit(fastmath=True, error_model="numpy")
def _energy(weight, channel, styles):
    of_channel = weight[channel]
    total = _ZERO
    for i in range(len(styles)):
        squares = _ZERO
        for tap in range(of_channel.shape[1]):
            squares += of_channel[i, tap] * of_channel[i, tap]
        total += squares * styles[i] * styles[i]
    return total


@njit(fastmath=True, error_model="numpy")
def _scale(weight, channel, tap, styles, scale, kernel, position):
    of_channel, result = weight[channel], kernel[channel, position]
    for i in range(len(styles)):
        result[i] = narrow(of_channel[i, tap] * styles[i] * scale, result[i])
