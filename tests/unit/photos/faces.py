"""Faces whose pose is known, for tests of alignment."""

from __future__ import annotations

import numpy as np

from triptych.camera import FOCAL, TARGET, look_at_camera
from triptych.photos.detectors.face import Face
from triptych.photos.detectors.rotations import about_z

TEMPLATE = np.array(
    [
        [-0.065, 0.025, 0.178],
        [0.065, 0.025, 0.178],
        [0.0, -0.045, 0.252],
        [-0.05, -0.108, 0.194],
        [0.05, -0.108, 0.194],
        [0.0, 0.150, 0.176],
        [-0.13, -0.03, 0.07],
        [0.13, -0.03, 0.07],
        [0.0, -0.2, 0.17],
    ]
)
"""A coarse face: the five points, forehead, cheeks, chin; in the avatars' world."""

PAIRS = np.array([1, 0, 2, 4, 3, 5, 7, 6, 8])


def seen_by(
    yaw: float,
    pitch: float,
    *,
    roll: float = 0.0,
    centre: tuple[float, float] = (200.0, 150.0),
    picture: float = 400.0,
) -> tuple[np.ndarray, Face]:
    """Project the template as the avatars' camera sees it.

    Args:
        yaw, pitch: Where the camera stands.
        roll: Clockwise turn of the head in the picture.
        centre: Pixel at which the anchor is seen.
        picture: Width in pixels of the picture that the camera would take.

    Returns:
        The camera-to-world matrix [4, 4] without roll, and the face as a perfect finder sees it.
    """
    cam2world = look_at_camera(yaw, pitch).cam2world[0].double().numpy()
    rotation = about_z(roll) @ cam2world[:3, :3].T
    in_camera = (TEMPLATE - cam2world[:3, 3]) @ rotation.T
    points = FOCAL * picture * in_camera[:, :2] / in_camera[:, 2:] + np.array(centre)
    depth = float((rotation @ (np.array(TARGET) - cam2world[:3, 3]))[2])
    face = Face(
        landmarks=points,
        five=points[:5],
        anchor=np.array(centre),
        unit=FOCAL * picture / depth,
        rotation=rotation,
        detector="perfect",
        score=1.0,
        pairs=PAIRS,
        is_photograph=False,
    )
    return cam2world, face
