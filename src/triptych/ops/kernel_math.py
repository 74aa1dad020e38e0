"""Scalar functions for compiled kernels, written so that loops over them become vector code.

The exponential and the logarithm are polynomials of single precision: their errors are of the size
of float32's rounding, and nothing in them keeps a compiler from doing eight or sixteen at once,
which calls into the C library would.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

_ZERO, _ONE = np.float32(0), np.float32(1)
_LOG2_E = np.float32(1.4426950408889634)
_LARGEST = np.float32(60)  # exp(-60) is 1e-26; near 1e-38, where float32 ends, processors are slow
_EXPONENT_BIAS = np.int32(127)
_MANTISSA_BITS = np.int32(23)

# 2 ** -f on [0, 1], and log(1 + u) / u on [0, 1]: interpolated at Chebyshev points in float64.
_E0, _E1, _E2, _E3, _E4, _E5, _E6 = (
    np.float32(value)
    for value in np.polynomial.Chebyshev.interpolate(lambda f: np.exp2(-f), 6, [0, 1])
    .convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1])
    .coef
)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    np.float32(value)
    for value in np.polynomial.Chebyshev.interpolate(lambda u: np.log1p(u) / u, 8, [0, 1])
    .convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1])
    .coef
)


@njit(inline="always", fastmath=True)
def exp_of_minus(x):
    """Return exp(-x) for x >= 0, float32; beyond 60 x counts as 60."""
    scaled = min(x, _LARGEST) * _LOG2_E
    whole = np.int32(scaled)
    f = scaled - np.float32(whole)
    power = _E0 + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
    return power * np.int32((_EXPONENT_BIAS - whole) << _MANTISSA_BITS).view(np.float32)


@njit(inline="always", fastmath=True)
def softplus(x):
    """Return log(1 + exp(x)), float32."""
    u = exp_of_minus(abs(x))
    series = _L4 + u * (_L5 + u * (_L6 + u * (_L7 + u * _L8)))
    return max(x, _ZERO) + u * (_L0 + u * (_L1 + u * (_L2 + u * (_L3 + u * series))))


@njit(inline="always", fastmath=True, error_model="numpy")
def sigmoid(x):
    """Return 1 / (1 + exp(-x)), float32."""
    u = exp_of_minus(abs(x))
    return (_ONE if x > 0 else u) / (_ONE + u)


def widen(value):
    """Return a stored number as float32; a 16-bit integer holds the bits of a bfloat16."""
    raise TypeError("for compiled kernels only")


@overload(widen, inline="always")
def _widen(value):
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


def narrow(value, stored):
    """Return a float32 in the form in which `stored` is kept, rounded to the nearest, ties to even.

    Not-a-number is not kept by the 16-bit form.
    """
    raise TypeError("for compiled kernels only")


@overload(narrow, inline="always")
def _narrow(value, stored):
    if stored == types.uint16:

        def to_bfloat16(value, stored):
            bits = np.float32(value).view(np.uint32)
            tie = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
            return np.uint16((bits + tie) >> np.uint32(16))

        return to_bfloat16
    return lambda value, stored: value
