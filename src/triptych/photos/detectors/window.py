"""Square windows of a picture, at any place, size and angle, resampled without aliasing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.uint8]

_MARGIN = 4  # pixels round the window that a resampling filter may reach
_REDUCE_ABOVE = 4.0  # source pixels per window pixel from which whole blocks are averaged first
_UPRIGHT = 1e-6


@dataclass(frozen=True)
class Window:
    """A square of a picture.

    Attributes:
        x, y: Its centre in pixels; (0, 0) is the outer corner of the first pixel.
        side: Length of a side in pixels of the picture.
        roll: Clockwise turn of the square in the picture, radians. A head that is turned by the
            same angle stands upright in the window.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    def to_window(self, points: FloatArray) -> FloatArray:
        """Picture points [..., 2] in pixels as window widths from the window's centre."""
        return (points - np.array([self.x, self.y])) @ self._turn() / self.side

    def to_picture(self, points: FloatArray) -> FloatArray:
        """Window points [..., 2], in window widths from its centre, as pixels of the picture."""
        return points * self.side @ self._turn().T + np.array([self.x, self.y])

    def share_outside(self, width: int, height: int) -> float:
        """Return which share of the window's area lies outside a picture, 0..1."""
        steps = (np.arange(64) + 0.5) / 64 - 0.5
        grid = np.stack(np.meshgrid(steps, steps), axis=-1)
        x, y = np.moveaxis(self.to_picture(grid), -1, 0)
        return float(1.0 - np.mean((x >= 0) & (x < width) & (y >= 0) & (y < height)))

    def _turn(self) -> FloatArray:
        """Matrix whose columns are the window's axes in the picture."""
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return np.array([[cos, -sin], [sin, cos]])


def cut_window(pixels: Pixels, window: Window, size: int, fill: int = 0) -> Pixels:
    """Cut a window out of a picture.

    Args:
        pixels: uint8 [h, w, 3].
        window: Which part; it may reach beyond the picture.
        size: Side of the result in pixels.
        fill: Grey value outside the picture.

    Returns:
        uint8 [size, size, 3].
    """
    from PIL import Image

    region, origin, step = _region_around(pixels, window, size, fill)
    # From here on pixels are those of the region: `step` pixels of the picture each.
    centre = (np.array([window.x, window.y]) - origin) / step
    side = window.side / step
    picture = Image.fromarray(region)
    if abs(window.roll) < _UPRIGHT:
        left, top = centre - side / 2
        box = (left, top, left + side, top + side)
        return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box))
    # First to the final scale, which filters; then the turn, which only interpolates.
    scale = size / side
    width, height = (max(1, round(length * scale)) for length in picture.size)
    scales = np.array([width / picture.width, height / picture.height])
    scaled = picture.resize((width, height), Image.Resampling.BICUBIC)
    turn = window._turn() * (side / size) * scales[:, None]
    start = centre * scales - turn @ np.full(2, size / 2)
    matrix = (turn[0, 0], turn[0, 1], start[0], turn[1, 0], turn[1, 1], start[1])
    return np.asarray(
        scaled.transform(
            (size, size),
            Image.Transform.AFFINE,
            matrix,
            Image.Resampling.BICUBIC,
            fillcolor=(fill, fill, fill),
        )
    )


def _region_around(
    pixels: Pixels, window: Window, size: int, fill: int
) -> tuple[Pixels, FloatArray, int]:
    """Return the upright region that holds a window, padded where the picture ends.

    A window much larger than the result is averaged over whole blocks first.

    Returns:
        The region, where its corner is in the picture, and the side of its pixels there.
    """
    height, width = pixels.shape[:2]
    reach = window.side / 2 * (abs(math.cos(window.roll)) + abs(math.sin(window.roll)))
    step = max(1, int(window.side / size / (_REDUCE_ABOVE / 2)))
    if window.side / size < _REDUCE_ABOVE:
        step = 1
    margin = step * (_MARGIN + math.ceil(window.side / size / step))
    low = np.floor((np.array([window.x, window.y]) - reach - margin) / step).astype(int) * step
    count = np.ceil((2 * reach + 2 * margin) / step).astype(int) + 1
    high = low + count * step
    x0, y0 = (int(v) for v in np.clip(low, 0, (width, height)))
    x1, y1 = (int(v) for v in np.clip(high, 0, (width, height)))
    inside = pixels[y0:y1, x0:x1]
    if step > 1:
        inside = _block_means(inside, step)
    region = np.full((int(count), int(count), 3), fill, np.uint8)
    if inside.size:
        column, row = (x0 - int(low[0])) // step, (y0 - int(low[1])) // step
        region[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return region, low.astype(np.float64), step


def _block_means(pixels: Pixels, step: int) -> Pixels:
    """Average blocks of `step` x `step` pixels; smaller blocks at the right and lower edge."""
    from PIL import Image

    if not pixels.size:
        return pixels
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(step))
