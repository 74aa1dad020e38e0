"""Which pixels of an aligned photo are the person, and which are in the photo at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triptych.photos.detectors.window import Window
from triptych.systems.lift.pinhole import FloatArray

Mask = NDArray[np.bool_]

_EDGE_MARGIN = 4  # pixels beside the photo's edge that resampling has mixed with what is outside
_LEAST_CUT = 25  # columns of the person that the upper edge must cut before a top is added
_CROWN = (0.12, 0.8)  # least and most height of an added top, in halves of its width
_HEIGHT = 0.75  # of a head above its widest place, in halves of its width: an ellipse
_SMOOTHING = 2.5  # pixels of 512


def person_of(probability: FloatArray) -> Mask:
    """Return the largest solid part of a foreground probability [s, s]: no holes, no threads.

    Its outline is smooth: what is ragged there would be bumps from the side.
    """
    unit = probability.shape[0] / 512
    solid = ndimage.binary_fill_holes(_largest(probability > 0.5))
    opened = ndimage.binary_opening(solid, iterations=max(1, round(3 * unit)))
    smooth = ndimage.gaussian_filter(opened.astype(float), _SMOOTHING * unit, mode="nearest")
    return _largest(smooth > 0.5)


def inside_photo(window: Window, width: int, height: int, size: int) -> Mask:
    """Return which pixels of a crop [size, size] show the photo, a few beside its edge left out."""
    centres = (np.arange(size) + 0.5) / size - 0.5
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    x, y = window.to_picture(grid).T
    margin = _EDGE_MARGIN * window.side / size
    inside = (x > margin) & (x < width - margin) & (y > margin) & (y < height - margin)
    # an edge of the photo that is an edge of the crop needs no margin
    return inside.reshape(size, size)


def with_crown(person: Mask, inside: Mask) -> tuple[Mask, Mask]:
    """Close a head that the photo's upper edge cuts: the top of an ellipse that goes on its sides.

    Args:
        person: The person's pixels [s, s].
        inside: Pixels that show the photo [s, s].

    Returns:
        The completed mask, and the pixels in which the mask is known, above the cut too.
    """
    size = person.shape[0]
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), size)
    below = np.minimum(first + 2, size - 1)
    cut = person[below, np.arange(size)] & (first > 1) & (first < size // 2)
    columns = np.flatnonzero(cut)
    if len(columns) < _LEAST_CUT * size / 512:
        return person, inside
    left, right = columns[0], columns[-1]
    half, middle = (right - left) / 2, (left + right) / 2
    ends = first[left] + 2.0, first[right] + 2.0
    widest = _half_width(person & inside, round(max(ends)), round(half))
    share = min(1.0, half / max(widest, 1.0))
    height = _HEIGHT * widest * (1 - np.sqrt(1 - share**2))
    height = np.clip(height, _CROWN[0] * half, _CROWN[1] * half)
    rows, across = np.mgrid[0:size, 0:size]
    line = ends[0] + (ends[1] - ends[0]) * (across - left) / max(1, right - left)
    # an arc of that ellipse, from the cut up: straight up where the head is widest
    beside = np.abs(across - middle) / max(widest, half, 1.0)
    rise = np.sqrt(np.clip(1 - beside**2, 0, 1)) - np.sqrt(1 - share**2)
    rise *= height / max(1 - np.sqrt(1 - share**2), 1e-6)
    crown = (across >= left) & (across <= right) & (rows <= line + 2) & (rows >= line - rise)
    known = inside | ((rows < size // 2) & (rows <= first[None]) & (first < size // 2)[None])
    return person & inside | crown, known


def _half_width(mask: Mask, top: int, depth: int) -> float:
    """Return half the width of a mask's widest row among `depth` ones from `top` down."""
    rows = mask[top : top + max(1, depth)]
    return float(rows.sum(axis=1).max(initial=0)) / 2


def depth_inside(mask: Mask) -> FloatArray:
    """Return how far inside a mask each pixel is [s, s], in pixels; the picture's edge is none."""
    padded = np.pad(mask, 1, mode="edge")
    return ndimage.distance_transform_edt(padded)[1:-1, 1:-1]


def _largest(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax()
