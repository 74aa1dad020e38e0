"""The pose of a template from its projections."""

from __future__ import annotations

import math

import numpy as np
import pytest
from faces import TEMPLATE, seen_by

from triptych.photos.detectors.head_fit import fit_head
from triptych.photos.detectors.rotations import angle_of


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0.0, 0.0, 0.0), (0.5, -0.3, 0.0), (-0.8, 0.2, 0.4), (0.2, 0.5, -1.0), (0.1, 0.0, 2.5)],
)
def test_exact_projections_give_the_exact_pose(yaw, pitch, roll):
    _, face = seen_by(yaw, pitch, roll=roll, centre=(123.0, 77.0), picture=300.0)
    fit = fit_head(TEMPLATE, face.landmarks)
    assert math.degrees(angle_of(fit.rotation @ face.rotation.T)) < 0.01
    assert fit.anchor == pytest.approx([123.0, 77.0], abs=0.01)
    assert fit.unit == pytest.approx(face.unit, rel=1e-4)
    assert fit.deviation < 1e-5


def test_pose_does_not_depend_on_where_and_how_large_the_face_is():
    _, face = seen_by(0.4, -0.2)
    one = fit_head(TEMPLATE, face.landmarks)
    other = fit_head(TEMPLATE, 3.0 * face.landmarks + np.array([500.0, -40.0]))
    assert other.rotation == pytest.approx(one.rotation, abs=1e-6)
    assert other.unit == pytest.approx(3.0 * one.unit, rel=1e-6)


def test_one_wild_landmark_hardly_moves_the_pose():
    rng = np.random.default_rng(0)
    cloud = TEMPLATE[rng.integers(0, 9, 200)] + 0.02 * rng.standard_normal((200, 3))
    points = cloud @ np.diag([1.0, -1.0, -1.0])[:2].T * 300
    still = fit_head(cloud, points)
    wild = points.copy()
    wild[7] += 60.0
    assert math.degrees(angle_of(fit_head(cloud, wild).rotation @ still.rotation.T)) < 0.5


def test_deviation_is_in_world_units():
    _, face = seen_by(0.0, 0.0)
    noise = 0.01 * face.unit * np.random.default_rng(1).standard_normal((9, 2))
    assert 0.004 < fit_head(TEMPLATE, face.landmarks + noise).deviation < 0.02


def test_mirrored_landmarks_give_the_mirrored_pose():
    _, face = seen_by(0.4, 0.2, roll=0.1)
    pairs = face.pairs
    mirrored = fit_head(TEMPLATE, face.landmarks[pairs] * [-1.0, 1.0])
    flip = np.diag([-1.0, 1.0, 1.0])
    assert math.degrees(angle_of(flip @ mirrored.rotation @ flip @ face.rotation.T)) < 0.01
