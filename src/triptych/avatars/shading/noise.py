"""Compiled lattice noise and smooth steps for the shading kernels."""

from __future__ import annotations

import math

import numpy as np

from triptych.ops.kernel_cache import compiled


def _wrapped_lattice() -> np.ndarray:
    """Return a 33^3 table of numbers 0..1 whose last slices repeat the first."""
    table = np.random.default_rng(12345).random((33, 33, 33)).astype(np.float32)
    table[32] = table[0]
    table[:, 32] = table[:, 0]
    table[:, :, 32] = table[:, :, 0]
    return table.reshape(-1).copy()


_LATTICE = _wrapped_lattice()


@compiled(fastmath=True, inline="always")
def value_noise(x, y, z):
    """Smooth noise 0..1 with one feature per unit, repeating after 32."""
    column, row, layer = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - column, y - row, z - layer
    u = u * u * (3 - 2 * u)
    v = v * v * (3 - 2 * v)
    w = w * w * (3 - 2 * w)
    at = (int(column) & 31) * 1089 + (int(row) & 31) * 33 + (int(layer) & 31)
    near_low = _LATTICE[at] + (_LATTICE[at + 1089] - _LATTICE[at]) * u
    near_high = _LATTICE[at + 33] + (_LATTICE[at + 1122] - _LATTICE[at + 33]) * u
    far_low = _LATTICE[at + 1] + (_LATTICE[at + 1090] - _LATTICE[at + 1]) * u
    far_high = _LATTICE[at + 34] + (_LATTICE[at + 1123] - _LATTICE[at + 34]) * u
    near = near_low + (near_high - near_low) * v
    far = far_low + (far_high - far_low) * v
    return near + (far - near) * w


@compiled(fastmath=True)
def layered_noise(x, y, z, octaves):
    """Sum of octaves of value noise, 0..1."""
    total = 0.0
    amplitude = 0.5
    weight = 0.0
    for _ in range(octaves):
        total += amplitude * value_noise(x, y, z)
        weight += amplitude
        amplitude *= 0.5
        x = x * 2.03 + 17.1
        y = y * 2.01 + 5.3
        z = z * 2.02 + 9.7
    return total / weight


@compiled(fastmath=True)
def step(start, end, value):
    """Rise smoothly from 0 at `start` to 1 at `end`."""
    share = (value - start) / (end - start)
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


@compiled(fastmath=True)
def bump(x, y, centre_x, centre_y, width, height):
    """Gaussian hill with standard deviations `width` and `height`."""
    a = (x - centre_x) / width
    b = (y - centre_y) / height
    return math.exp(-0.5 * (a * a + b * b))
