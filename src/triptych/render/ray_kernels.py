"""Compiled kernel of the fast renderer: one ray after another, from its samples to its colour.

All that belongs to a ray stays in the processor's nearest caches. A sample is decoded only where
the portrait's grid says that something is near and light still gets there; the others keep the
grid's density.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from triptych.fields.base import NO_DENSITY
from triptych.fields.folded_kernels import decode_hidden
from triptych.ops.kernel_cache import kernel
from triptych.ops.kernel_math import exp_of_minus, sigmoid, softplus
from triptych.render.marching_rules import TRANSMITTANCE_FLOOR

NEARBY, OCCUPIED = np.uint8(1), np.uint8(2)
"""Bits of a grid cell: a ray with a sample in it may meet something; something is in or by it."""

ROWS_PER_PRODUCT = 64
"""Samples whose colours are one matrix product: too small for libraries to start threads."""

_DARK = np.float32(6.9)  # behind this optical depth a thousandth of the light is left
_INVISIBLE_BELOW = np.float32(1e-4)
_TRANSMITTANCE_FLOOR = np.float32(TRANSMITTANCE_FLOOR)
_WEIGHT_FLOOR = np.float32(0.01)
_PDF_FLOOR = np.float32(1e-5)
_NO_DENSITY = np.float32(NO_DENSITY)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


class GridArrays(NamedTuple):
    """A `render.occupancy.OccupancyGrid` as arrays: `marks` holds the bits above."""

    marks: np.ndarray
    density: np.ndarray
    size: int
    box_size: np.float32


class RayArrays(NamedTuple):
    """Rays [r, 3], their sorted first depths [r or 1, s] and sorted cdf positions [r or 1, n].

    `order` [r] is the order in which they are rendered.
    """

    order: np.ndarray
    origins: np.ndarray
    directions: np.ndarray
    depths: np.ndarray
    uniform: np.ndarray


class Gathered(NamedTuple):
    """Sums of activated colours [r, c], mean depths [r] and alphas [r]; zeros at first."""

    colours: np.ndarray
    depth: np.ndarray
    alpha: np.ndarray


class _Samples(NamedTuple):
    """Samples of one ray in order of depth.

    `row` is where the hidden values of a sample are kept, -1 if it was not decoded; `weight` is
    that of the interval behind the sample.
    """

    depth: np.ndarray
    density: np.ndarray
    occupied: np.ndarray
    row: np.ndarray
    weight: np.ndarray


@kernel
def render_part(start, stop, rays, field, grid, density_gain, gathered):
    """Render the rays order[start:stop] into `gathered`."""
    num_coarse, num_fine = rays.depths.shape[1], rays.uniform.shape[1]
    num_hidden, num_features = field.colour_weight.shape
    coarse, samples = _new_samples(num_coarse), _new_samples(num_coarse + num_fine)
    hidden = np.empty((num_coarse + num_fine, num_hidden), np.float32)
    row_weight = np.empty(num_coarse + num_fine, np.float32)
    decoded = np.empty((ROWS_PER_PRODUCT, num_features), np.float32)
    cdf, fine_depths = np.empty(num_coarse, np.float32), np.empty(num_fine, np.float32)
    for ray in rays.order[start:stop]:
        origin, direction = rays.origins[ray], rays.directions[ray]
        depths = rays.depths[ray if rays.depths.shape[0] > 1 else 0]
        start_cell, step_cells = _in_cells(grid, origin, direction)
        nearby = False
        for i in range(num_coarse):
            coarse.depth[i] = depths[i]
            nearby |= _look_up(grid, start_cell, step_cells, coarse, i)
        if not nearby:
            continue
        num_rows = _reveal(coarse, np.int64(0), origin, direction, field, density_gain, hidden)
        _weigh(coarse, density_gain)
        if num_fine == 0:
            _composite(coarse, num_rows, field, hidden, row_weight, decoded, ray, gathered)
            continue
        uniform = rays.uniform[ray if rays.uniform.shape[0] > 1 else 0]
        _importance_depths(coarse, cdf, uniform, fine_depths)
        _merge(coarse, fine_depths, samples, grid, start_cell, step_cells)
        num_rows = _reveal(samples, num_rows, origin, direction, field, density_gain, hidden)
        _weigh(samples, density_gain)
        _composite(samples, num_rows, field, hidden, row_weight, decoded, ray, gathered)


@njit
def _new_samples(count):
    return _Samples(
        np.empty(count, np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.bool_),
        np.empty(count, np.int64),
        np.empty(count, np.float32),
    )


@njit(fastmath=True, error_model="numpy")
def _in_cells(grid, origin, direction):
    """Return where a ray starts and goes, counted in cells of the grid."""
    inner = np.float32(grid.size - 2)
    scale, offset = inner / grid.box_size, inner * _HALF + _ONE
    start = (
        origin[0] * scale + offset,
        origin[1] * scale + offset,
        origin[2] * scale + offset,
    )
    return start, (direction[0] * scale, direction[1] * scale, direction[2] * scale)


@njit(fastmath=True, error_model="numpy")
def _look_up(grid, start, step, samples, i):
    """Fill in what the grid says about a sample; returns whether something is nearby.

    The cell is limited once more as an integer: for not-a-number neither the comparisons, under
    these compiler flags, nor the conversion mean anything.
    """
    depth, last = samples.depth[i], np.float32(grid.size - 1)
    x = np.int64(min(max(start[0] + depth * step[0], _ZERO), last))
    y = np.int64(min(max(start[1] + depth * step[1], _ZERO), last))
    z = np.int64(min(max(start[2] + depth * step[2], _ZERO), last))
    cell = min(max((z * grid.size + y) * grid.size + x, 0), len(grid.marks) - 1)
    mark = grid.marks[cell]
    samples.density[i] = grid.density[cell]
    samples.occupied[i] = (mark & OCCUPIED) != 0
    samples.row[i] = -1
    return (mark & NEARBY) != 0


@njit(fastmath=True, error_model="numpy")
def _reveal(samples, num_rows, origin, direction, field, density_gain, hidden):
    """Decode the samples that can have weight, front to back; returns how many rows are used.

    A sample can have weight if it ends an occupied interval and light still gets there. Activated
    density is softplus(x), which is at least x: so dark is known without exponentials.
    """
    pixels, axes, size = field.pixels, field.axes, field.size
    hidden_bias, density_weight = field.hidden_bias, field.density_weight
    scale, offset = np.float32(size / field.box_size), np.float32(size) * _HALF - _HALF
    depth, density, occupied, row = samples.depth, samples.density, samples.occupied, samples.row
    last = len(row) - 1
    passed = _ZERO  # a lower bound of the optical depth so far
    for i in range(last + 1):
        beside = occupied[i] or occupied[max(i - 1, 0)] or occupied[min(i + 1, last)]
        if beside and row[i] < 0:
            position = (
                np.float32((origin[0] + depth[i] * direction[0]) * scale + offset),
                np.float32((origin[1] + depth[i] * direction[1]) * scale + offset),
                np.float32((origin[2] + depth[i] * direction[2]) * scale + offset),
            )
            if field.empty_beyond and _is_beyond(position, offset):
                density[i] = _NO_DENSITY
            else:
                density[i] = field.density_bias + decode_hidden(
                    pixels, axes, size, hidden_bias, density_weight, position, hidden, num_rows
                )
                row[i] = num_rows
                num_rows += 1
        if i > 0:
            least = max((density[i - 1] + density[i]) * _HALF - _ONE, _ZERO)
            passed += least * density_gain * (depth[i] - depth[i - 1])
            if passed > _DARK:
                break
    return num_rows


@njit(fastmath=True, error_model="numpy")
def _is_beyond(position, centre):
    """Say whether a place in pixels is outside the cube, whose centre is at that pixel."""
    reach = centre + _HALF
    return (
        abs(position[0] - centre) > reach
        or abs(position[1] - centre) > reach
        or abs(position[2] - centre) > reach
    )


@njit(fastmath=True, error_model="numpy")
def _weigh(samples, density_gain):
    """Fill in how much each interval contributes; see `marching_rules.MidpointRule`."""
    depth, density, weight = samples.depth, samples.density, samples.weight
    last = len(depth) - 1
    for i in range(last):
        middle = (density[i] + density[i + 1]) * _HALF
        length = depth[i + 1] - depth[i]
        weight[i] = _ONE - exp_of_minus(softplus(middle - _ONE) * density_gain * length)
    light = _ONE
    for i in range(last):
        alpha = weight[i]
        weight[i] = alpha * light
        light *= _ONE - alpha + _TRANSMITTANCE_FLOOR
    weight[last] = _ZERO


@njit(fastmath=True, error_model="numpy")
def _importance_depths(coarse, cdf, uniform, depths):
    """See `depth_samplers.importance_depths`; here `uniform` is sorted, so `depths` are too."""
    depth, weight = coarse.depth, coarse.weight
    last = len(depth) - 3
    cdf[0] = _ZERO
    for i in range(1, last + 1):
        before, after = max(weight[i - 1], weight[i]), max(weight[i], weight[i + 1])
        cdf[i] = cdf[i - 1] + ((before + after) * _HALF + _WEIGHT_FLOOR + _PDF_FLOOR)
    total = cdf[last]
    index = 0
    for n in range(len(uniform)):
        target = uniform[n] * total
        while index <= last and cdf[index] <= target:
            index += 1
        low, high = max(index - 1, 0), min(index, last)
        low_edge = (depth[low] + depth[low + 1]) * _HALF
        high_edge = (depth[high] + depth[high + 1]) * _HALF
        mass = cdf[high] - cdf[low]
        if mass < _PDF_FLOOR * total:
            mass = total
        depths[n] = low_edge + (target - cdf[low]) / mass * (high_edge - low_edge)


@njit(fastmath=True, error_model="numpy")
def _merge(coarse, fine_depths, samples, grid, start, step):
    """Put coarse and fine samples in order of depth."""
    num_coarse, num_fine = len(coarse.depth), len(fine_depths)
    i = j = 0
    for m in range(num_coarse + num_fine):
        if j == num_fine or (i < num_coarse and coarse.depth[i] <= fine_depths[j]):
            samples.depth[m] = coarse.depth[i]
            samples.density[m] = coarse.density[i]
            samples.occupied[m] = coarse.occupied[i]
            samples.row[m] = coarse.row[i]
            i += 1
        else:
            samples.depth[m] = fine_depths[j]
            _look_up(grid, start, step, samples, m)
            j += 1


@njit(fastmath=True, error_model="numpy")
def _composite(samples, num_rows, field, hidden, row_weight, decoded, ray, gathered):
    """Weigh the decoded samples into colours, depth and alpha.

    An interval has the mean of its two ends, so a sample weighs half of the intervals beside it.
    What little weight falls on samples that were not decoded goes to those that were.
    """
    alpha = shown = depth = before = _ZERO
    for i in range(len(samples.depth)):
        after = samples.weight[i]
        weight = (before + after) * _HALF
        before = after
        alpha += after
        depth += weight * samples.depth[i]
        if samples.row[i] >= 0:
            row_weight[samples.row[i]] = weight
            shown += weight
    if shown <= _INVISIBLE_BELOW:
        return
    colours = gathered.colours[ray]
    for first in range(0, num_rows, ROWS_PER_PRODUCT):
        count = min(ROWS_PER_PRODUCT, num_rows - first)
        np.dot(hidden[first : first + count], field.colour_weight, decoded[:count])
        _activate_colours(decoded, count * len(colours), field.colour_bias)
        _add_weighted(colours, decoded, count, row_weight[first:])
    for c in range(len(colours)):
        colours[c] *= alpha / shown
    gathered.depth[ray] = depth / alpha
    gathered.alpha[ray] = alpha


@njit(fastmath=True, error_model="numpy")
def _activate_colours(decoded, count, bias):
    values, biases = decoded.ravel(), bias.ravel()
    for i in range(count):
        values[i] = sigmoid(values[i] + biases[i])


@njit(fastmath=True, error_model="numpy")
def _add_weighted(total, rows, count, weights):
    for row in range(count):
        values, weight = rows[row], weights[row]
        for c in range(len(total)):
            total[c] += weight * values[c]
