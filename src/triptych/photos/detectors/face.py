"""A face found in a picture: where it is, how it is turned, and who found it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.photos.detectors.rotations import FloatArray, about_z
from triptych.photos.detectors.window import Window

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Face:
    """One face; positions are in pixels of the picture, (0, 0) the corner of its first pixel.

    The head is described in the avatars' world, in which heads are upright, look along +z and have
    one size: its point `camera.TARGET`, between the eyes, is the anchor.

    Attributes:
        landmarks: Positions [k, 2].
        five: The five points of photo alignment [5, 2]: eye at the left of the picture, eye at
            its right, nose tip, mouth corner at its left and at its right.
        anchor: Where the anchor is seen [2].
        unit: Pixels that one world unit measures there.
        rotation: World-to-camera rotation [3, 3] of a camera that looks at the anchor.
        detector: What found it.
        score: How sure the detector is, 0..1.
        pairs: Which landmark each becomes in a mirrored picture [k].
        is_photograph: The picture is known to be a photograph, because what found the face knows
            nothing else.
    """

    landmarks: FloatArray
    five: FloatArray
    anchor: FloatArray
    unit: float
    rotation: FloatArray
    detector: str
    score: float
    pairs: NDArray[np.int64]
    is_photograph: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and lower edge of the landmarks."""
        left, top = self.landmarks.min(axis=0)
        right, bottom = self.landmarks.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def width(self) -> float:
        """Size of the face in pixels, the same however it is turned."""
        return FACE_UNITS * self.unit

    @property
    def yaw(self) -> float:
        """Angle of the camera round the head; positive: it sees the head's left side (+x)."""
        x, _, z = -self.rotation[2]
        return math.atan2(x, z)

    @property
    def pitch(self) -> float:
        """Angle of the camera above the head's level."""
        return math.asin(float(np.clip(-self.rotation[2, 1], -1.0, 1.0)))

    @property
    def roll(self) -> float:
        """Clockwise turn of the head in the picture."""
        up = self.rotation[:2, 1]
        return math.atan2(float(up[0]), float(-up[1]))

    def upright_rotation(self) -> FloatArray:
        """The rotation of a camera that is rolled with the head."""
        return about_z(-self.roll) @ self.rotation

    def window(self, units: float) -> Window:
        """A window of so many world units round the anchor, turned with the head."""
        return Window(float(self.anchor[0]), float(self.anchor[1]), units * self.unit, self.roll)


FACE_UNITS = 0.31
"""Width of an average face between the ears, in world units of the avatars."""


class FaceFinder(Protocol):
    """Finds faces in pictures.

    Attributes:
        name: What it is called in reports.
    """

    name: str

    def find(self, pixels: Pixels) -> list[Face]:
        """Return the faces in uint8 pixels [h, w, 3], the largest first."""
