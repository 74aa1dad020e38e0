"""Rotations of heads and cameras [3, 3]; OpenCV axes: x right, y down, z forward."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def about_x(angle: float) -> FloatArray:
    """Rotation about the x axis; in a world with y up a positive one lowers what faces +z."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def about_z(angle: float) -> FloatArray:
    """Rotation about the z axis: clockwise in a picture, whose y points down."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def rotation_of(turn: FloatArray) -> FloatArray:
    """Rotation by a turn vector [3], whose length is the angle (Rodrigues)."""
    angle = float(np.linalg.norm(turn))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = turn / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross


def turn_to_axis(direction: FloatArray) -> FloatArray:
    """Smallest rotation that brings a direction [3] onto the z axis, the camera's."""
    x, y, z = direction / np.linalg.norm(direction)
    return rotation_of(np.array([y, -x, 0.0]) / max(math.hypot(x, y), 1e-300) * math.acos(z))


def angle_of(rotation: FloatArray) -> float:
    """Angle of a rotation in radians, 0 to pi."""
    sine = math.hypot(
        rotation[2, 1] - rotation[1, 2],
        rotation[0, 2] - rotation[2, 0],
        rotation[1, 0] - rotation[0, 1],
    )
    return math.atan2(sine, float(np.trace(rotation)) - 1.0)
