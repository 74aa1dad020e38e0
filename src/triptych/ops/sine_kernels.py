"""Compiled sines of sums, and their gradients: a third of the time that torch takes for the sine.

Angles are counted in half turns, so that the nearest whole number says the sign and the rest is in
a polynomial's reach. The error is that of an angle rounded once more.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel

_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1), np.float32(2)
_HALF_TURNS = np.float32(1 / np.pi)

# sin(pi r) / r on [-1/2, 1/2], a polynomial in r * r: interpolated at Chebyshev points in float64.
_S0, _S1, _S2, _S3, _S4 = (
    np.float32(value)
    for value in np.polynomial.Chebyshev.interpolate(
        lambda square: np.pi * np.sinc(np.sqrt(square)), 4, [0, 0.25]
    )
    .convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1])
    .coef
)


@kernel
def sines(start, stop, values, bias):
    """Overwrite values[start:stop] with sin(values + bias).

    Reading and writing through one array lets the compiler make vector instructions: of two that
    are the same memory it makes scalar ones, four times slower.

    Args:
        start: First group.
        stop: End of the groups.
        values: [g, n, o], float32.
        bias: [g, o], float32.
    """
    for group in range(start, stop):
        added = bias[group]
        for row in range(values.shape[1]):
            angles = values[group, row]
            for o in range(len(added)):
                angles[o] = _sine((angles[o] + added[o]) * _HALF_TURNS)


@kernel
def sine_gradients(start, stop, values, bias, gradient, out, out_bias):
    """Fill in out = gradient * cos(values + bias) and its sums over n, groups [start:stop].

    Args:
        start: First group.
        stop: End of the groups.
        values: [g, n, o], float32.
        bias: [g, o], float32.
        gradient: Of the sines [g, n, o].
        out: [g, n, o].
        out_bias: Zeros [g, o].
    """
    for group in range(start, stop):
        added, total = bias[group], out_bias[group]
        for row in range(values.shape[1]):
            given, came, wanted = values[group, row], gradient[group, row], out[group, row]
            for o in range(len(added)):
                value = came[o] * _sine((given[o] + added[o]) * _HALF_TURNS + _HALF)
                wanted[o] = value
                total[o] += value


@njit(inline="always", fastmath=True)
def _sine(half_turns):
    """Return sin(pi * half_turns), float32."""
    whole = np.rint(half_turns)
    r = half_turns - whole
    is_odd = np.abs(whole - _TWO * np.rint(whole * _HALF))
    q = r * r
    return (_ONE - _TWO * is_odd) * r * (_S0 + q * (_S1 + q * (_S2 + q * (_S3 + q * _S4))))
