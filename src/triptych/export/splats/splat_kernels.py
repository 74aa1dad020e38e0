"""Compiled: flat splats into tiles of pixels, composited, and the gradients of that.

`gathered` is a list of splats per tile, the nearest first: those of tile t are
gathered[starts[t]:starts[t + 1]].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel

TILE = 8


@kernel
def count_in_tiles(boxes, tiles, counts):
    """Add to counts [tiles * tiles] how many boxes [n, 4] (left, top, right, bottom) meet each."""
    for splat in range(len(boxes)):
        left, top, right, bottom = boxes[splat]
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                counts[row * tiles + column] += 1


@kernel
def gather_in_tiles(boxes, tiles, places, gathered):
    """Write each splat into the list of every tile it meets; places [tiles * tiles] move on."""
    for splat in range(len(boxes)):
        left, top, right, bottom = boxes[splat]
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                tile = row * tiles + column
                gathered[places[tile]] = splat
                places[tile] += 1


@njit(inline="always", fastmath=True)
def _falling_off(splats, splat, column, row):
    """Return the way from a splat to a pixel's centre (x, y), and the exponent there."""
    dx = column + np.float32(0.5) - splats[splat, 0]
    dy = row + np.float32(0.5) - splats[splat, 1]
    squares = splats[splat, 2] * dx * dx + splats[splat, 4] * dy * dy
    return dx, dy, -np.float32(0.5) * squares - splats[splat, 3] * dx * dy


@kernel
def composite_tiles(
    first, last, tiles, starts, gathered, splats, values, most, least_light, picture
):
    """Fill the picture [c, h, w] in tiles first to last.

    splats [n, 7] are x, y, the three numbers of the conic, the opacity, and the least exponent
    that counts.
    """
    channels, size = picture.shape[0], picture.shape[1]
    colour = np.zeros(channels, np.float32)
    for tile in range(first, last):
        top, left = tile // tiles * TILE, tile % tiles * TILE
        for row in range(top, min(top + TILE, size)):
            for column in range(left, min(left + TILE, size)):
                light = np.float32(1)
                colour[:] = 0
                for place in range(starts[tile], starts[tile + 1]):
                    splat = gathered[place]
                    dx, dy, power = _falling_off(splats, splat, column, row)
                    if power < splats[splat, 6]:
                        continue
                    alpha = min(most, splats[splat, 5] * math.exp(power))
                    left_over = light * (1 - alpha)
                    if left_over < least_light:
                        break
                    for channel in range(channels):
                        colour[channel] += light * alpha * values[splat, channel]
                    light = left_over
                for channel in range(channels):
                    picture[channel, row, column] = colour[channel]


@kernel
def spread_gradients(
    first, last, tiles, starts, gathered, splats, values, most, least_light, picture, wanted, found
):
    """Write the gradients of each entry of `gathered`: found [entries, 6 + c].

    They are of x, y, the conic, the opacity and the values. `wanted` [c, h, w] are those of the
    picture. What lies behind a splat is the picture less what was composited up to it.
    """
    channels, size = picture.shape[0], picture.shape[1]
    behind = np.zeros(channels, np.float32)
    for tile in range(first, last):
        top, left = tile // tiles * TILE, tile % tiles * TILE
        for row in range(top, min(top + TILE, size)):
            for column in range(left, min(left + TILE, size)):
                light = np.float32(1)
                for channel in range(channels):
                    behind[channel] = picture[channel, row, column]
                for place in range(starts[tile], starts[tile + 1]):
                    splat = gathered[place]
                    dx, dy, power = _falling_off(splats, splat, column, row)
                    if power < splats[splat, 6]:
                        continue
                    falloff = math.exp(power)
                    full = splats[splat, 5] * falloff
                    alpha = min(most, full)
                    left_over = light * (1 - alpha)
                    if left_over < least_light:
                        break
                    slope = np.float32(0)
                    for channel in range(channels):
                        weighed = wanted[channel, row, column]
                        value = values[splat, channel]
                        behind[channel] -= light * alpha * value
                        found[place, 6 + channel] += light * alpha * weighed
                        slope += weighed * (light * value - behind[channel] / (1 - alpha))
                    light = left_over
                    if full > most:
                        continue
                    found[place, 5] += slope * falloff
                    slope *= alpha
                    found[place, 0] += slope * (splats[splat, 2] * dx + splats[splat, 3] * dy)
                    found[place, 1] += slope * (splats[splat, 3] * dx + splats[splat, 4] * dy)
                    found[place, 2] -= slope * np.float32(0.5) * dx * dx
                    found[place, 3] -= slope * dx * dy
                    found[place, 4] -= slope * np.float32(0.5) * dy * dy
