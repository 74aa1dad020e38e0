"""Rotations of heads and cameras as matrices [3, 3]; OpenCV axes: x right, y down, z forward."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.float64]


def about_x(angle: float) -> FloatArray:
    """Rotation about the x axis; in a world with y up a positive one lowers what faces +z."""
    return _matrix(Rotation.from_euler("x", angle))


def about_z(angle: float) -> FloatArray:
    """Rotation about the z axis: clockwise in a picture, whose y points down."""
    return _matrix(Rotation.from_euler("z", angle))


def rotation_of(turn: FloatArray) -> FloatArray:
    """Rotation by a rotation vector [3], whose length is the angle in radians."""
    return _matrix(Rotation.from_rotvec(turn))


def turn_to_axis(direction: FloatArray) -> FloatArray:
    """Smallest rotation that brings a direction [3] onto the z axis, the camera's."""
    x, y, z = direction / np.linalg.norm(direction)
    return rotation_of(np.array([y, -x, 0.0]) / max(math.hypot(x, y), 1e-300) * math.acos(z))


def angle_of(rotation: FloatArray) -> float:
    """Angle of a rotation in radians, 0 to pi."""
    return float(Rotation.from_matrix(rotation).magnitude())


def _matrix(rotation: Rotation) -> FloatArray:
    return np.asarray(rotation.as_matrix(), np.float64)
