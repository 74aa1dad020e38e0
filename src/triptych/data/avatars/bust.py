"""Cutting a head to a bust inside the unit box, closed below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.data.avatars.materials import BODY, CLOTH
from triptych.data.avatars.parts import Part

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HALF_WIDTH = 0.495
FLOOR = -0.485
_CAP_SECTORS = 64


def inside_bust(positions: FloatArray, triangles: IntArray) -> NDArray[np.bool_]:
    """Tell which triangles [m] reach into the box of the bust."""
    corners = positions[triangles]
    above = corners[:, :, 1].max(axis=1) > FLOOR
    return above & (np.abs(corners[:, :, 0]).min(axis=1) < HALF_WIDTH)


def clamp_to_bust(positions: FloatArray) -> FloatArray:
    """Press positions into the box: what hangs below becomes a flat base."""
    low = np.array([-HALF_WIDTH, FLOOR, -HALF_WIDTH])
    high = np.array([HALF_WIDTH, np.inf, HALF_WIDTH])
    return np.clip(positions, low, high)


def floor_cap(outline: FloatArray, sides: FloatArray) -> Part:
    """Close the flat base: a fan over the outline of the points that lie on it.

    Args:
        outline: Clamped positions [n, 3] of the bust; those on the floor span the cap.
        sides: Rest position [3] whose cloth pattern the cap shows.
    """
    on_floor = outline[outline[:, 1] <= FLOOR + 1e-6][:, [0, 2]]
    middle = 0.5 * (on_floor.min(axis=0) + on_floor.max(axis=0))
    from_middle = on_floor - middle
    angle = np.arctan2(from_middle[:, 1], from_middle[:, 0])
    sector = ((angle + np.pi) / (2.0 * np.pi) * _CAP_SECTORS).astype(np.int64) % _CAP_SECTORS
    reach = np.zeros(_CAP_SECTORS)
    np.maximum.at(reach, sector, np.linalg.norm(from_middle, axis=1))
    filled = np.flatnonzero(reach > 0.0)
    directions = (np.arange(_CAP_SECTORS) + 0.5) / _CAP_SECTORS * 2.0 * np.pi - np.pi
    reach = np.interp(directions, directions[filled], reach[filled], period=2.0 * np.pi)
    rim = middle + reach[:, None] * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    flat = np.concatenate([rim, middle[None]])
    positions = np.stack([flat[:, 0], np.full(len(flat), FLOOR), flat[:, 1]], axis=1)
    index = np.arange(_CAP_SECTORS)
    return Part(
        positions=positions,
        normals=np.tile([0.0, -1.0, 0.0], (len(positions), 1)),
        triangles=np.stack(
            [index, (index + 1) % _CAP_SECTORS, np.full(_CAP_SECTORS, _CAP_SECTORS)], axis=1
        ),
        material=CLOTH,
        region=BODY,
        wrap=(0.15, 0.15, 0.15),
        rest=np.tile(sides, (len(positions), 1)),
    )
