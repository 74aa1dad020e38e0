"""The kernel distance of two sets of features (KID), which few pictures do not bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError

FloatArray = NDArray[np.float64]


def kernel_distance(first: FloatArray, second: FloatArray) -> float:
    """Return the unbiased squared maximum mean discrepancy; it may be a little below 0.

    Args:
        first: Features [n, d], n at least 2.
        second: Features [m, d].

    Raises:
        UserError: There are fewer than two of either.

    Reference: Binkowski et al., Demystifying MMD GANs (2018): the kernel is (x y / d + 1)^3.
    """
    if min(len(first), len(second)) < 2:
        raise UserError("a kernel distance needs two pictures or more on each side")
    within = sum(_off_diagonal_mean(_kernel(one, one)) for one in (first, second))
    return float(within - 2 * _kernel(first, second).mean())


def _kernel(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray((first @ second.T / first.shape[1] + 1) ** 3, np.float64)


def _off_diagonal_mean(square: FloatArray) -> float:
    count = len(square)
    return float((square.sum() - np.trace(square)) / (count * (count - 1)))
