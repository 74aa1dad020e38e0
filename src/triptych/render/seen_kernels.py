"""Compiled kernel that follows rays through a lattice of distances until their light is gone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel
from triptych.ops.kernel_math import exp_of_minus, sigmoid
from triptych.render.marching_rules import TRANSMITTANCE_FLOOR

_TRANSMITTANCE_FLOOR = np.float32(TRANSMITTANCE_FLOOR)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


class Surface(NamedTuple):
    """Where a surface is and how it is weighed; see `seen_samples`.

    Samples farther than `clear` from it, but the last of a ray, weigh nothing.
    """

    distances: np.ndarray
    box_size: np.float32
    beta: np.float32
    error: np.float32
    least: np.float32
    may_be_cut: bool
    clear: np.float32


@kernel
def mark_seen(start, stop, surface, origins, directions, depths, behind, seen):
    """Fill in seen[start:stop], False at first: may this sample weigh more than the least?

    Args:
        start: First ray.
        stop: End of the rays.
        surface: A `Surface`.
        origins: [r, 3].
        directions: [r, 3].
        depths: [r, s], increasing.
        behind: Length of the last interval of each ray [r, 1].
        seen: [r, s].
    """
    last = depths.shape[1] - 1
    for ray in range(start, stop):
        origin, direction, along = origins[ray], directions[ray], depths[ray]
        distances, size = surface.distances, surface.box_size
        light = _ONE
        for i in range(last + 1):
            length = behind[ray, 0] if i == last else along[i + 1] - along[i]
            distance = _distance_at(distances, size, origin, direction, along[i])
            if distance > surface.clear and i < last:
                continue
            most = _opacity(distance - surface.error, length, surface.beta)
            seen[ray, i] = most * light > surface.least
            if not surface.may_be_cut:
                fewest = _opacity(distance + surface.error, length, surface.beta)
                light *= _ONE - fewest + _TRANSMITTANCE_FLOOR
                if light < surface.least:
                    break


@njit(fastmath=True, error_model="numpy")
def _distance_at(distances, box_size, origin, direction, depth):
    """Return the interpolated distance at a point of a ray; beyond the cube its faces'."""
    last = len(distances) - 1
    scale, centre = np.float32(last) / box_size, np.float32(last) * _HALF
    x, right = _place((origin[0] + depth * direction[0]) * scale + centre, last)
    y, up = _place((origin[1] + depth * direction[1]) * scale + centre, last)
    z, back = _place((origin[2] + depth * direction[2]) * scale + centre, last)
    near = _across(distances[x, y, z], distances[x, y + 1, z], up)
    near = _across(near, _across(distances[x, y, z + 1], distances[x, y + 1, z + 1], up), back)
    x += 1
    far = _across(distances[x, y, z], distances[x, y + 1, z], up)
    far = _across(far, _across(distances[x, y, z + 1], distances[x, y + 1, z + 1], up), back)
    return _across(near, far, right)


@njit(inline="always", fastmath=True)
def _place(position, last):
    """Return the cell that holds a position, and how far along it that is."""
    within = min(max(position, _ZERO), np.float32(last))
    # Limited once more as an integer: not-a-number has no order under these compiler flags.
    cell = min(max(np.int64(within), 0), last - 1)
    return cell, within - np.float32(cell)


@njit(inline="always", fastmath=True)
def _across(first, second, share):
    return first + (second - first) * share


@njit(inline="always", fastmath=True, error_model="numpy")
def _opacity(distance, length, beta):
    """Return how opaque an interval is; see `marching_rules.SdfRule.opacities`."""
    return _ONE - exp_of_minus(sigmoid(-distance / beta) / beta * length)
