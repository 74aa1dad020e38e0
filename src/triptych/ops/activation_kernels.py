"""Compiled kernels behind convolutions: smoothing, noise, bias, leaky ReLU and clamp in one pass.

Maps are channels-last, in float32 or in bfloat16 (as 16-bit integers); sums are float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from triptych.ops.bias_act import SLOPE
from triptych.ops.kernel_cache import kernel
from triptych.ops.kernel_math import narrow, widen

_SLOPE = np.float32(SLOPE)
_ZERO = np.float32(0)


@kernel
def activate_rows(start, stop, values, bias, noise, clamp, out):
    """Fill in out[start:stop] = clamp(leaky_relu(values + bias + noise)).

    Args:
        start: First row.
        stop: End of the rows.
        values: [h, w, c].
        bias: [c], float32.
        noise: [h, w], float32, or [1, 1] for the same everywhere.
        clamp: Results stay within +- this.
        out: [h, w, c]; may be `values` itself.
    """
    same = noise.shape[0] == 1
    for row in range(start, stop):
        for column in range(out.shape[1]):
            added = noise[0, 0] if same else noise[row, column]
            _activate(values, row, column, bias, added, clamp, out)


@njit(fastmath=True, error_model="numpy")
def _activate(values, row, column, bias, added, clamp, out):
    given, pixel = values[row, column], out[row, column]
    for c in range(len(bias)):
        value = widen(given[c]) + (bias[c] + added)
        value = max(value, value * _SLOPE)
        pixel[c] = narrow(min(max(value, -clamp), clamp), pixel[c])


@kernel
def smooth_rows(start, stop, phases, first, taps, bias, noise, clamp, out, out_start):
    """Smooth a twice up-sampled map with a separable kernel and activate it, row by row.

    The up-sampled map comes in four phases: even and odd rows, even and odd columns. Beyond its
    2 n + 1 rows and columns it is zero. Row r of the result sums rows r - 1 .. r + 2.

    Args:
        start: First row of `out` to fill.
        stop: End of the rows.
        phases: (even rows, even columns), (even, odd), (odd, even), (odd, odd): rows of the
            up-sampled map, halved, of [m, n + 1, c] (even columns) or [m, n, c] (odd).
        first: Halved index, in the up-sampled map, of the first row of `phases`.
        taps: Four taps, float32.
        bias: [c], float32.
        noise: [2 n, 2 n], float32, or [1, 1].
        clamp: Results stay within +- this.
        out: [rows, 2 n, c].
        out_start: Row of the whole result that `out` begins with.
    """
    even_even, even_odd, odd_even, odd_odd = phases
    width, channels = out.shape[1], out.shape[2]
    same = noise.shape[0] == 1
    across = np.empty((4, width, channels), np.float32)  # smoothed along the row, four rows
    done = out_start + start - 1
    for index in range(start, stop):
        row = out_start + index
        while done < row + 3:
            half = (done >> 1) - first
            if done < 0 or done > width:
                across[done & 3] = _ZERO
            elif done & 1:
                _smooth_along(odd_even[half], odd_odd[half], taps, across, done & 3)
            else:
                _smooth_along(even_even[half], even_odd[half], taps, across, done & 3)
            done += 1
        for column in range(width):
            added = noise[0, 0] if same else noise[row, column]
            _smooth_and_activate(across, row, column, taps, bias, added, clamp, out, index)


@njit(fastmath=True, error_model="numpy")
def _smooth_along(even, odd, taps, across, slot):
    """Smooth one row, given as even columns [n + 1, c] and odd columns [n, c]."""
    last = odd.shape[0] - 1
    for half in range(last + 1):
        before = taps[0] if half > 0 else _ZERO
        behind = taps[3] if half < last else _ZERO
        left, right = max(half - 1, 0), min(half + 1, last)
        _weigh_four(
            odd, left, even, half, odd, half, even, half + 1,
            before, taps[1], taps[2], taps[3], across, slot, 2 * half,
        )  # fmt: skip
        _weigh_four(
            even, half, odd, half, even, half + 1, odd, right,
            taps[0], taps[1], taps[2], behind, across, slot, 2 * half + 1,
        )  # fmt: skip


@njit(fastmath=True, error_model="numpy")
def _weigh_four(
    map0, at0, map1, at1, map2, at2, map3, at3, tap0, tap1, tap2, tap3, across, slot, column
):
    x0, x1, x2, x3, total = map0[at0], map1[at1], map2[at2], map3[at3], across[slot, column]
    for c in range(len(total)):
        outer = widen(x0[c]) * tap0 + widen(x3[c]) * tap3
        total[c] = outer + widen(x1[c]) * tap1 + widen(x2[c]) * tap2


@njit(fastmath=True, error_model="numpy")
def _smooth_and_activate(across, row, column, taps, bias, added, clamp, out, index):
    x0, x1 = across[(row - 1) & 3, column], across[row & 3, column]
    x2, x3 = across[(row + 1) & 3, column], across[(row + 2) & 3, column]
    tap0, tap1, tap2, tap3 = taps[0], taps[1], taps[2], taps[3]
    pixel = out[index, column]
    for c in range(len(bias)):
        value = x0[c] * tap0 + x1[c] * tap1 + x2[c] * tap2 + x3[c] * tap3 + (bias[c] + added)
        value = max(value, value * _SLOPE)
        pixel[c] = narrow(min(max(value, -clamp), clamp), pixel[c])
