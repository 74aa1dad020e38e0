"""Landmarks of synthetic heads: where they should be, and the same for every head of a shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.avatars.assets.pack import load_assets
from triptych.avatars.geometry.landmarks import LANDMARKS, MIRRORED, HeadLandmarks
from triptych.avatars.people.identity import identity_from_seed
from triptych.photos.detectors.head_pose import five_points


@pytest.fixture(scope="module")
def assets(makehuman_pack):
    return load_assets(makehuman_pack)


@pytest.fixture(scope="module")
def finder(assets):
    return HeadLandmarks(assets)


@pytest.fixture(scope="module")
def heads(assets, finder):
    return np.array([finder.of(identity_from_seed(seed, assets)) for seed in range(12)])


def place(points, name):
    return points[..., LANDMARKS.index(name), :]


def test_names_pair_up():
    assert len(set(LANDMARKS)) == len(LANDMARKS)
    assert [MIRRORED[MIRRORED[i]] for i in range(len(LANDMARKS))] == list(range(len(LANDMARKS)))
    assert LANDMARKS[MIRRORED[LANDMARKS.index("left ear")]] == "right ear"
    assert MIRRORED[LANDMARKS.index("chin")] == LANDMARKS.index("chin")


def test_features_are_in_the_order_of_a_face(heads):
    for upper, lower in (
        ("brow middle", "nose bridge"),
        ("nose bridge", "nose tip"),
        ("nose tip", "upper lip"),
        ("upper lip", "lower lip"),
        ("lower lip", "chin"),
    ):
        assert (place(heads, upper)[:, 1] > place(heads, lower)[:, 1]).all()
    assert (place(heads, "left eye outer")[:, 0] > place(heads, "left eye inner")[:, 0]).all()
    assert (place(heads, "left eye inner")[:, 0] > 0).all()
    foremost = heads[..., 2].argmax(axis=1)
    assert (foremost == LANDMARKS.index("nose tip")).mean() > 0.9


def test_eyes_are_where_placement_puts_them(heads):
    eyes = five_points(heads, LANDMARKS)[:, :2].mean(axis=1)
    assert np.abs(eyes[:, 0]).max() < 0.01
    assert eyes[:, 1] == pytest.approx(0.03, abs=0.015)
    distance = five_points(heads, LANDMARKS)[:, 1, 0] - five_points(heads, LANDMARKS)[:, 0, 0]
    assert distance == pytest.approx(0.13, abs=0.03)


def test_the_mean_head_is_symmetric(heads):
    mean = heads.mean(axis=0)
    assert np.abs(mean - mean[list(MIRRORED)] * [-1, 1, 1]).max() < 0.006


def test_five_points_are_in_the_order_of_aligners(heads):
    five = five_points(heads.mean(axis=0), LANDMARKS)
    assert five.shape == (5, 3)
    assert five[0, 0] < 0 < five[1, 0]  # the head's right eye is at the left of the picture
    assert five[3, 0] < 0 < five[4, 0]
    assert five[2, 2] == five[:, 2].max()


def test_expressions_move_landmarks_and_colours_do_not(assets, finder):
    identity = replace(identity_from_seed(3, assets), mouth_open=0.0)
    still = finder.of(identity)
    assert (finder.of(replace(identity, hair_style="bald")) == still).all()
    opened = finder.of(replace(identity, mouth_open=1.0))
    assert place(opened, "lower lip")[1] < place(still, "lower lip")[1] - 0.005
