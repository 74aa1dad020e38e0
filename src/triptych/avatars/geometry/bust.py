"""Cutting a head to a bust inside the unit box, closed below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.geometry.materials import BODY
from triptych.avatars.geometry.parts import Part

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HALF_WIDTH = 0.495
FLOOR = -0.485
_CAP_LIFT = 1e-4  # keeps it inside the box
_CAP_SECTORS = 64
_CAP_WORLD_PER_DECIMETRE = 0.218  # only scales its cloth pattern


def inside_bust(positions: FloatArray, triangles: IntArray) -> NDArray[np.bool_]:
    """Tell which triangles [m] reach into the box of the bust."""
    corners = positions[triangles]
    above = corners[:, :, 1].max(axis=1) > FLOOR
    return above & (np.abs(corners[:, :, 0]).min(axis=1) < HALF_WIDTH)


def clamp_to_bust(positions: FloatArray, inset: float = 0.0) -> FloatArray:
    """Press positions into the box, or one smaller by `inset`: what hangs below becomes flat."""
    half = HALF_WIDTH - inset
    low = np.array([-half, FLOOR + inset, -half])
    return np.clip(positions, low, np.array([half, np.inf, half]))


def floor_cap(parts: Sequence[Part], material: int) -> Part:
    """Close the flat base: a fan over the outline of what lies on the floor.

    Args:
        parts: Skin and garment, not yet clamped.
        material: Material of the cap.
    """
    on_floor = np.concatenate([_on_floor(part) for part in parts])
    middle = 0.5 * (on_floor.min(axis=0) + on_floor.max(axis=0))
    from_middle = on_floor - middle
    angle = np.arctan2(from_middle[:, 1], from_middle[:, 0])
    sector = ((angle + np.pi) / (2.0 * np.pi) * _CAP_SECTORS).astype(np.int64) % _CAP_SECTORS
    reach = np.zeros(_CAP_SECTORS)
    np.maximum.at(reach, sector, np.linalg.norm(from_middle, axis=1))
    directions = (np.arange(_CAP_SECTORS) + 0.5) / _CAP_SECTORS * 2.0 * np.pi - np.pi
    filled = reach > 0.0
    reach = np.interp(directions, directions[filled], reach[filled], period=2.0 * np.pi)
    rim = middle + reach[:, None] * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    flat = np.concatenate([rim, middle[None]])
    floor = np.full(len(flat), FLOOR + _CAP_LIFT)
    index = np.arange(_CAP_SECTORS)
    return Part(
        positions=np.stack([flat[:, 0], floor, flat[:, 1]], axis=1),
        normals=np.tile([0.0, -1.0, 0.0], (len(flat), 1)),
        triangles=np.stack([index, (index + 1) % _CAP_SECTORS, index * 0 + _CAP_SECTORS], axis=1),
        material=material,
        region=BODY,
        wrap=(0.15, 0.15, 0.15),
        rest=np.stack([flat[:, 0], floor, flat[:, 1]], axis=1) / _CAP_WORLD_PER_DECIMETRE,
    )


def _on_floor(part: Part) -> FloatArray:
    """Return (x, z) of a part's vertices that are pressed onto the floor."""
    kept = np.unique(part.triangles[inside_bust(part.positions, part.triangles)])
    clamped = clamp_to_bust(part.positions[kept])
    return clamped[clamped[:, 1] <= FLOOR][:, [0, 2]]
