"""Compiled kernel that reads a folded tri-plane field at one point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from triptych.ops.kernel_math import softplus
from triptych.ops.plane_kernels import add_pixels, corners_of, pixels_around

_ZERO = np.float32(0)


class FieldArrays(NamedTuple):
    """A `FoldedTriPlane` as arrays: see there; numbers are float32.

    `colour_bias` holds the biases once for each of several rows [m, c].
    """

    pixels: np.ndarray
    axes: np.ndarray
    size: int
    box_size: np.float32
    hidden_bias: np.ndarray
    density_weight: np.ndarray
    density_bias: np.float32
    colour_weight: np.ndarray
    colour_bias: np.ndarray
    empty_beyond: bool


@njit(fastmath=True, error_model="numpy")
def decode_hidden(pixels, axes, size, hidden_bias, density_weight, position, hidden, row):
    """Fill in the activated hidden values at a point and return its raw density without bias.

    Args:
        pixels: See `FieldArrays`; its parts are handed over one by one, because an array that is
            taken out of a tuple costs time.
        axes: See `FieldArrays`.
        size: See `FieldArrays`.
        hidden_bias: See `FieldArrays`.
        density_weight: See `FieldArrays`.
        position: The point's three coordinates in pixels, pixel centres at whole numbers.
        hidden: Hidden values [n, k].
        row: Row of `hidden` to fill.
    """
    around = (
        pixels_around(position[0], size),
        pixels_around(position[1], size),
        pixels_around(position[2], size),
    )
    _start_row(hidden, row, hidden_bias)
    for plane in range(len(axes)):
        first = plane * size * size
        corners, weights = corners_of(around[axes[plane, 0]], around[axes[plane, 1]], first, size)
        add_pixels(hidden, row, pixels, corners, weights)
    return _activate_row(hidden, row, density_weight)


# The loops over channels stand alone and slice rows themselves: so compilers vectorise them and
# count no references.


@njit(fastmath=True, error_model="numpy")
def _start_row(hidden, row, bias):
    total = hidden[row]
    for k in range(len(bias)):
        total[k] = bias[k]


@njit(fastmath=True, error_model="numpy")
def _activate_row(hidden, row, weight):
    """Replace a row by its softplus and return its weighted sum."""
    values = hidden[row]
    total = _ZERO
    for k in range(len(weight)):
        value = softplus(values[k])
        values[k] = value
        total += value * weight[k]
    return total
