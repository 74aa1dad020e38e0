"""Placement of a head in the world: eyes at a fixed position, size by eye and mouth distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets

FloatArray = NDArray[np.float64]

WORLD_PER_DECIMETRE = 0.218  # whole head, hair and shoulders in the frame
EYE_HEIGHT = 0.032  # world units
_EYE_CENTRE_DEPTH = 0.150
_EYE_SETBACK = 0.02  # decimetres
# Distances of an average face, in decimetres.
_EYE_DISTANCE, _EYE_TO_MOUTH = 0.6155, 0.675
_LIP_CENTRE = (0.0, 6.61, 1.52)
_NUM_BODY_VERTICES = 13380


@dataclass(frozen=True, eq=False)
class Placement:
    """Decimetres of a morphed head to world units: (point - origin) * scale.

    Attributes:
        origin: Point that comes to rest at the world origin, decimetres.
        scale: World units per decimetre.
        eye_middle: Middle between the eye balls, decimetres.
        eye_centres: Centres of the left (+x) and right eye ball, decimetres.
        eye_radii: Their radii, decimetres.
    """

    origin: FloatArray
    scale: float
    eye_middle: FloatArray
    eye_centres: tuple[FloatArray, FloatArray]
    eye_radii: tuple[float, float]

    def to_world(self, points: FloatArray) -> FloatArray:
        """Move points [n, 3] from decimetres to world units."""
        return (points - self.origin) * self.scale


def lip_vertices(assets: HeadAssets) -> NDArray[np.int64]:
    """Return the four body vertices nearest to the middle of the mouth."""
    distance = np.linalg.norm(assets.base[:_NUM_BODY_VERTICES] - np.array(_LIP_CENTRE), axis=1)
    return np.argsort(distance)[:4]


def place(vertices: FloatArray, assets: HeadAssets, lips: NDArray[np.int64]) -> Placement:
    """Align a morphed base mesh like a photo aligner would, by its eyes and mouth."""
    left, right = (vertices[ids].mean(axis=0) for ids in assets.eyeballs)
    radii = [
        float(np.linalg.norm(vertices[ids] - centre, axis=1).mean())
        for ids, centre in zip(assets.eyeballs, (left, right), strict=True)
    ]
    middle = (left + right) / 2.0
    drop = float((middle - vertices[lips].mean(axis=0))[1])
    size = max(float(left[0] - right[0]) / _EYE_DISTANCE, drop / _EYE_TO_MOUTH)
    scale = WORLD_PER_DECIMETRE / size
    origin = np.array(
        [
            0.0,
            middle[1] - EYE_HEIGHT / scale,
            middle[2] - _EYE_SETBACK - _EYE_CENTRE_DEPTH / scale,
        ]
    )
    return Placement(origin, scale, middle, (left, right), (radii[0], radii[1]))
