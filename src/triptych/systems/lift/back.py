"""The back of a head, which no photo shows: closed and smooth.

A generator that has seen faces from the front alone repeats the face's relief behind the head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triptych.systems.lift.pinhole import FloatArray, smoothstep

_BESIDE = (0.1, 0.24)  # shares of a row's width from each end: ears and sides stay as they are
_NOSE = 0.03  # world units: what sticks out behind and is not wider is taken off
_SMOOTHING = 0.03  # world units
_STEEPNESS = 1500.0  # raw density per world unit
_DENSEST = 40.0
_LEAST_ROW = 8  # cells of a row that can have a back


def with_smooth_back(density: FloatArray, level: float, box_size: float) -> FloatArray:
    """Return densities [n, n, n] whose rear is convex from side to side, without relief.

    Args:
        density: Raw densities, indexed x, y, z, from face to face of the box; z points forward.
        level: Raw density at the surface.
        box_size: Side of the box.
    """
    cell = box_size / (density.shape[0] - 1)
    solid = density > level
    shown = np.asarray(solid.any(axis=2))
    rear = np.where(shown, solid.argmax(axis=2), 0).astype(float)
    smooth, trust = _smooth_rear(rear, shown, cell)
    wanted = (rear + trust * (smooth - rear))[..., None]
    behind = (np.arange(density.shape[2]) - wanted) * cell
    closed = np.clip(level + _STEEPNESS * behind, -_DENSEST, _DENSEST)
    # from there on to where the old rear ended, or where the new one begins
    until = np.maximum(rear, smooth)[..., None] + 1
    decided = (trust > 0)[..., None] & (np.arange(density.shape[2]) <= until)
    return np.where(decided, closed, density)


def _smooth_rear(
    rear: FloatArray, shown: NDArray[np.bool_], cell: float
) -> tuple[FloatArray, FloatArray]:
    """Return where the rear should be, in cells along z, and how far it counts [n, n]."""
    front_most = float(rear.shape[0])
    width = max(3, 2 * round(_NOSE / cell) + 1)
    padded = np.where(shown, rear, -front_most)  # a bump is low: closing lifts it
    flat = np.minimum(ndimage.grey_closing(padded, size=(width, width)), front_most)
    flat = np.where(shown, np.maximum(flat, rear), front_most)
    trust = np.zeros_like(rear)
    for row in range(rear.shape[1]):
        columns = np.flatnonzero(shown[:, row])
        if len(columns) < _LEAST_ROW:
            continue
        first, last = columns[0], columns[-1]
        share = np.minimum(columns - first, last - columns) / (last - first)
        trust[columns, row] = smoothstep(share, *_BESIDE)
        core = columns[share >= _BESIDE[0]]
        flat[core, row] = _convex(core, flat[core, row])
    sigma = _SMOOTHING / cell
    weight = ndimage.gaussian_filter(shown.astype(float), sigma)
    total = ndimage.gaussian_filter(np.where(shown, flat, 0.0), sigma)
    return np.where(shown, total / np.maximum(weight, 1e-6), rear), trust


def _convex(places: NDArray[np.int64], values: FloatArray) -> FloatArray:
    """Return the largest convex function below values at rising places."""
    kept: list[int] = []
    for index in range(len(places)):
        while len(kept) > 1:
            first, second = kept[-2], kept[-1]
            rise = (values[second] - values[first]) * (places[index] - places[first])
            if rise < (values[index] - values[first]) * (places[second] - places[first]):
                break
            kept.pop()
        kept.append(index)
    return np.interp(places, places[kept], values[kept])
