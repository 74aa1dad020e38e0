"""Compiled kernel that reads a folded tri-plane field at one point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from triptych.ops.kernel_math import softplus

_ZERO, _ONE = np.float32(0), np.float32(1)


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
        _pixels_around(position[0], size),
        _pixels_around(position[1], size),
        _pixels_around(position[2], size),
    )
    _start_row(hidden, row, hidden_bias)
    for plane in range(len(axes)):
        left, right, left_weight, right_weight = around[axes[plane, 0]]
        upper, lower, upper_weight, lower_weight = around[axes[plane, 1]]
        upper, lower = (plane * size + upper) * size, (plane * size + lower) * size
        corners = (upper + left, upper + right, lower + left, lower + right)
        weights = (
            upper_weight * left_weight,
            upper_weight * right_weight,
            lower_weight * left_weight,
            lower_weight * right_weight,
        )
        _add_pixels(hidden, row, pixels, corners, weights)
    return _activate_row(hidden, row, density_weight)


@njit(fastmath=True, error_model="numpy")
def _pixels_around(position, size):
    """Return both pixels around a position on an axis and their weights, 0 outside the plane."""
    floor = np.floor(position)
    pixel, fraction = np.int64(floor), np.float32(position - floor)
    low, high = min(max(pixel, 0), size - 1), min(max(pixel + 1, 0), size - 1)
    low_weight = _ONE - fraction if 0 <= pixel < size else _ZERO
    high_weight = fraction if -1 <= pixel < size - 1 else _ZERO
    return low, high, low_weight, high_weight


# The loops over channels stand alone and slice rows themselves: so compilers vectorise them and
# count no references.


@njit(fastmath=True, error_model="numpy")
def _start_row(hidden, row, bias):
    total = hidden[row]
    for k in range(len(bias)):
        total[k] = bias[k]


@njit(fastmath=True, error_model="numpy")
def _add_pixels(hidden, row, pixels, corners, weights):
    total = hidden[row]
    first, second = pixels[corners[0]], pixels[corners[1]]
    third, fourth = pixels[corners[2]], pixels[corners[3]]
    weight1, weight2, weight3, weight4 = weights
    for k in range(len(total)):
        upper = first[k] * weight1 + second[k] * weight2
        total[k] += upper + third[k] * weight3 + fourth[k] * weight4


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
