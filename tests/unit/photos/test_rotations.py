"""Rotations against what is known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triptych.photos.detectors.rotations import (
    about_x,
    about_z,
    angle_of,
    rotation_of,
    turn_to_axis,
)


def test_quarter_turns():
    assert about_z(math.pi / 2) @ [1, 0, 0] == pytest.approx([0, 1, 0])
    assert about_x(math.pi / 2) @ [0, 1, 0] == pytest.approx([0, 0, 1])
    assert rotation_of(np.array([0, 0, math.pi / 2])) == pytest.approx(about_z(math.pi / 2))
    assert rotation_of(np.array([0.3, 0, 0])) == pytest.approx(about_x(0.3))
    assert (rotation_of(np.zeros(3)) == np.eye(3)).all()


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.4, 3.0, math.pi])
def test_angles_come_out_as_they_went_in(angle):
    axis = np.array([0.6, -0.48, 0.64])
    assert angle_of(rotation_of(angle * axis)) == pytest.approx(angle, abs=1e-7)


@pytest.mark.parametrize("direction", [[0, 0, 2.0], [0.1, 0.2, 1.0], [-3.0, 1.0, 0.5]])
def test_a_direction_is_brought_to_the_axis_the_shortest_way(direction):
    turn = turn_to_axis(np.array(direction))
    assert turn @ direction == pytest.approx([0, 0, np.linalg.norm(direction)], abs=1e-9)
    shortest = math.acos(direction[2] / np.linalg.norm(direction))
    assert angle_of(turn) == pytest.approx(shortest, abs=1e-7)
