"""The pose of a head from many landmarks: dense least squares with a template of their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.camera import RADIUS, TARGET
from triptych.photos.detectors.rotations import rotation_of, turn_to_axis

FloatArray = NDArray[np.float64]

_STEPS = 20
_CONVERGED = 1e-7
# Deviations beyond this many world units count linearly: a hand, a wide-open mouth.
_ROBUST = 0.008
_RECENTRED = 3


@dataclass(frozen=True, eq=False)
class HeadFit:
    """A template as it lies in a picture.

    Attributes:
        rotation: World-to-camera rotation [3, 3] of a camera that looks at the anchor.
        anchor: Where `camera.TARGET` is seen, in pixels [2].
        unit: Pixels that one world unit measures there.
        deviation: Root mean square distance of landmarks and fitted template, in world units.
    """

    rotation: FloatArray
    anchor: FloatArray
    unit: float
    deviation: float


def fit_head(template: FloatArray, landmarks: FloatArray) -> HeadFit:
    """Fit rotation and place of a rigid template to its landmarks in a picture.

    The picture is seen as through the avatars' lens: a camera that looks at the head and whose
    picture, if it showed the whole head, would be `camera.FOCAL` of its own widths away.

    Args:
        template: Places [n, 3] in the avatars' world.
        landmarks: The same points in the picture [n, 2], in pixels, y down.
    """
    target = np.array(TARGET)
    places = template - target  # turned about the anchor
    centre, unit, rotation = _first_guess(places, landmarks)
    shift = np.zeros(3)
    for _ in range(_RECENTRED):
        # One picture width is what the lens sees at the anchor's distance.
        distance = _distance(rotation)
        seen = (landmarks - centre) / (unit * distance)
        rotation, shift = _solve(places, seen, rotation, np.array([0.0, 0.0, distance]))
        centre = centre + unit * distance * shift[:2] / shift[2]
        unit = unit * distance / shift[2]
        rotation = turn_to_axis(shift) @ rotation
    deviation = _deviation(places, (landmarks - centre) / unit, rotation)
    return HeadFit(rotation, centre, unit, deviation)


def _distance(rotation: FloatArray) -> float:
    """Distance of the anchor from a camera on the avatars' sphere that sees it this way."""
    along = float(np.array(TARGET) @ rotation[2])
    offset = float(np.dot(TARGET, TARGET))
    return along + float(np.sqrt(along**2 - offset + RADIUS**2))


def _first_guess(places: FloatArray, landmarks: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Centre, scale and rotation of a frontal head, turned in the picture, with these landmarks."""
    flat = places[:, 0] - 1j * places[:, 1]
    seen = landmarks[:, 0] + 1j * landmarks[:, 1]
    spread = flat - flat.mean()
    turn = np.vdot(spread, seen) / np.vdot(spread, spread).real  # a scaled rotation
    centre = seen.mean() - turn * flat.mean()
    cos, sin = turn.real / abs(turn), turn.imag / abs(turn)
    rotation = np.array([[cos, sin, 0.0], [sin, -cos, 0.0], [0.0, 0.0, -1.0]])
    return np.array([centre.real, centre.imag]), float(abs(turn)), rotation


def _solve(
    places: FloatArray, seen: FloatArray, rotation: FloatArray, shift: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gauss-Newton with Huber weights over a turn and a shift.

    Args:
        places: [n, 3].
        seen: Projections [n, 2] at unit focal length.
        rotation, shift: Where to begin.
    """
    robust = _ROBUST / shift[2]
    for _ in range(_STEPS):
        turned = places @ rotation.T
        x, y, z = (turned + shift).T
        error = np.stack([x / z, y / z], axis=1) - seen
        weight = 1.0 / np.maximum(1.0, np.linalg.norm(error, axis=1) / robust)
        by_point = np.zeros((len(places), 2, 3))
        by_point[:, 0, 0] = by_point[:, 1, 1] = 1.0 / z
        by_point[:, 0, 2], by_point[:, 1, 2] = -x / z**2, -y / z**2
        slope = np.concatenate([by_point @ _minus_cross(turned), by_point], axis=2)
        weighted = slope * weight[:, None, None]
        normal = np.einsum("nij,nik->jk", weighted, slope)
        step = -np.linalg.solve(normal, np.einsum("nij,ni->j", weighted, error))
        rotation, shift = rotation_of(step[:3]) @ rotation, shift + step[3:]
        if np.abs(step).max() < _CONVERGED:
            break
    return rotation, shift


def _minus_cross(vectors: FloatArray) -> FloatArray:
    """Matrices [n, 3, 3] of turn -> turn x vector, the first order of a small rotation."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    rows = [[zero, z, -y], [-z, zero, x], [y, -x, zero]]
    return np.moveaxis(np.array(rows), 2, 0)


def _deviation(places: FloatArray, seen: FloatArray, rotation: FloatArray) -> float:
    """Distance of landmarks, in world units from the anchor, and the template."""
    x, y, z = (places @ rotation.T).T
    depth = 1.0 + z / _distance(rotation)
    error = np.stack([x / depth, y / depth], axis=1) - seen
    return float(np.sqrt((error**2).sum(axis=1).mean()))
