"""The hidden side of a turned face: the mirror image of the seen one, where they match."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from triptych.systems.lift.pinhole import FloatArray, smoothstep
from triptych.systems.lift.regions import EYE, SKIN
from triptych.systems.lift.surface import Surface

_SAME_PLACE = 0.02  # world units between a point's mirror image and its partner
_TRUST = 0.8  # of a mirror image
_TURNED = (math.radians(8), math.radians(20))  # from no use of mirror images to all
_BETTER = (0.0, 0.3)  # trust by which a mirror image exceeds the photo: from no use to all
_SURELY_FACING = (0.35, 0.6)  # cosines: before that a face's rim may show what lies behind it


@dataclass(frozen=True, eq=False)
class MirrorImage:
    """Partners of a surface's vertices on its other side; only faces are mirrored.

    Hair may be parted, and clothes have folds: neither is the same on both sides.

    Attributes:
        partner: Number of the vertex that is nearest to each one's mirror image [n].
        near: How near it is [n], 0..1.
        turn: How far the face is turned, 0..1: a little, and the photo tells both sides.
    """

    partner: NDArray[np.int64]
    near: FloatArray
    turn: float

    @classmethod
    def of(cls, surface: Surface, yaw: float) -> MirrorImage:
        """Find the partners on a surface that faces forward, and is seen from a yaw in radians."""
        flipped = surface.vertices * np.array([-1.0, 1.0, 1.0])
        distance, partner = cKDTree(surface.vertices).query(flipped)
        turn = float(smoothstep(np.array(abs(yaw)), *_TURNED))
        return cls(partner, smoothstep(distance, _SAME_PLACE, 0.0), turn)

    def regions(self, regions: FloatArray, seen: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return shares of the groups [n, g] that know the seen side's face, and how surely [n].

        Args:
            regions: Shares of the groups [n, g].
            seen: How surely the photo tells them [n].
        """
        partner = self.partner
        trust = self.turn * self.near * (seen * _face(regions))[partner] * (1 - seen)
        return regions + trust[:, None] * (regions[partner] - regions), trust

    def colours(
        self, seen: FloatArray, confidence: FloatArray, regions: FloatArray, facing: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Take the other side's colours where that is seen better.

        Its gradients are to be used, since light comes from one side.

        Args:
            seen: Colours of the photo [n, 3].
            confidence: Trust in them [n].
            regions: Shares of the groups [n, g].
            facing: Cosines between normals and the way to the camera [n].

        Returns:
            What is left of the trust in the photo [n]; colours of the other side [n, 3]; how far
            those are used [n].
        """
        partner, face = self.partner, _face(regions)
        mirrored = _TRUST * self.near * confidence[partner] * face * face[partner]
        confidence = confidence * (1 - self.turn * face * (1 - smoothstep(facing, *_SURELY_FACING)))
        use = self.turn * smoothstep(mirrored - confidence, *_BETTER)
        return confidence * (1 - use), seen[partner], use


def _face(regions: FloatArray) -> FloatArray:
    return regions[:, SKIN] + regions[:, EYE]
