"""Compiled kernels that read three feature planes at points, and send gradients back to them."""

from __future__ import annotations

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def sum_of_planes(start, stop, pixels, positions, axes, size, points, out):
    """Fill in out[start:stop] with the sum of the planes at each point.

    Args:
        start: First point.
        stop: End of the points.
        pixels: Planes, one pixel after the other [b * planes * size * size, c].
        positions: Points in pixels, pixel centres at whole numbers [b * points, 3].
        axes: For each plane, the coordinate along its width and that along its height [planes, 2].
        size: Side of a plane in pixels.
        points: How many points each of the b sets of planes is asked for.
        out: [b * points, c].
    """
    planes = len(axes)
    for n in range(start, stop):
        position, batch = positions[n], n // points
        around = (
            pixels_around(position[0], size),
            pixels_around(position[1], size),
            pixels_around(position[2], size),
        )
        _clear(out, n)
        for plane in range(planes):
            first = (batch * planes + plane) * size * size
            corners, weights = corners_of(
                around[axes[plane, 0]], around[axes[plane, 1]], first, size
            )
            add_pixels(out, n, pixels, corners, weights)


@kernel
def spread_over_planes(start, stop, gradient, positions, axes, size, points, out):
    """Add the gradient of `sum_of_planes` to images start .. stop of the b * planes in `out`.

    Args:
        start: First image.
        stop: End of the images.
        gradient: [b * points, c].
        positions: See `sum_of_planes`.
        axes: See `sum_of_planes`.
        size: See `sum_of_planes`.
        points: See `sum_of_planes`.
        out: Gradient of the planes, one pixel after the other [b * planes * size * size, c].
    """
    planes = len(axes)
    for image in range(start, stop):
        batch, plane = image // planes, image % planes
        for n in range(batch * points, (batch + 1) * points):
            position = positions[n]
            corners, weights = corners_of(
                pixels_around(position[axes[plane, 0]], size),
                pixels_around(position[axes[plane, 1]], size),
                image * size * size,
                size,
            )
            _add_to_pixels(out, corners, weights, gradient, n)


@njit(fastmath=True, error_model="numpy")
def pixels_around(position, size):
    """Return both pixels around a position on an axis and their weights, 0 outside the plane.

    The pixels are limited as integers: positions may be not-a-number.
    """
    position = min(max(position, np.float32(-2)), np.float32(size + 1))
    floor = np.floor(position)
    pixel, fraction = np.int64(floor), np.float32(position - floor)
    low, high = min(max(pixel, 0), size - 1), min(max(pixel + 1, 0), size - 1)
    low_weight = _ONE - fraction if 0 <= pixel < size else _ZERO
    high_weight = fraction if -1 <= pixel < size - 1 else _ZERO
    return low, high, low_weight, high_weight


@njit(fastmath=True, error_model="numpy")
def corners_of(across, down, first, size):
    """Return the four pixels around a point and their weights, of what both axes say of it.

    Args:
        across: `pixels_around` along the plane's width.
        down: The same along its height.
        first: Number of the plane's first pixel.
        size: Side of the plane in pixels.
    """
    left, right, left_weight, right_weight = across
    upper, lower, upper_weight, lower_weight = down
    upper, lower = first + upper * size, first + lower * size
    corners = (upper + left, upper + right, lower + left, lower + right)
    weights = (
        upper_weight * left_weight,
        upper_weight * right_weight,
        lower_weight * left_weight,
        lower_weight * right_weight,
    )
    return corners, weights


# The loops over channels stand alone and slice rows themselves: so compilers vectorise them and
# count no references.


@njit(fastmath=True, error_model="numpy")
def add_pixels(rows, row, pixels, corners, weights):
    """Add four weighted pixels of [n, c] to a row of [m, c]."""
    total = rows[row]
    first, second = pixels[corners[0]], pixels[corners[1]]
    third, fourth = pixels[corners[2]], pixels[corners[3]]
    weight1, weight2, weight3, weight4 = weights
    for k in range(len(total)):
        upper = first[k] * weight1 + second[k] * weight2
        total[k] += upper + third[k] * weight3 + fourth[k] * weight4


@njit(fastmath=True, error_model="numpy")
def _add_to_pixels(pixels, corners, weights, rows, row):
    given = rows[row]
    for corner in range(4):
        total, weight = pixels[corners[corner]], weights[corner]
        for k in range(len(given)):
            total[k] += given[k] * weight


@njit(fastmath=True, error_model="numpy")
def _clear(rows, row):
    total = rows[row]
    for k in range(len(total)):
        total[k] = _ZERO
