"""The back of a head: hollows are closed, bumps are taken off, the rest stays."""

from __future__ import annotations

import numpy as np

from triptych.systems.lift.back import with_smooth_back
from triptych.systems.lift.solid import lattice

SIZE, RADIUS = 64, 0.4
CELL = 1 / (SIZE - 1)


def head(hollow: float = 0.0, bump: float = 0.0) -> np.ndarray:
    """A ball of raw densities with a relief behind: eyes are hollows and a nose is a bump."""
    points = lattice(SIZE, 1.0)
    x, y, z = points.T
    density = 1500 * (RADIUS - np.linalg.norm(points, axis=1))
    eyes = np.minimum(np.hypot(x - 0.1, y - 0.1), np.hypot(x + 0.1, y - 0.1)) < 0.06
    rear = -np.sqrt(np.clip(RADIUS**2 - x**2 - y**2, 0, None))
    density = np.where(eyes & (z < rear + hollow), -40.0, density)
    nose = (np.hypot(x, y) < 0.03) & (z < 0) & (z > rear - bump)
    return np.where(nose, 40.0, density).reshape([SIZE] * 3)


def rear_of(density: np.ndarray) -> np.ndarray:
    solid = density > 0
    return np.where(solid.any(axis=2), solid.argmax(axis=2), -1)


def test_a_relief_behind_the_head_goes():
    plain, relief = head(), head(hollow=0.08, bump=0.06)
    closed = with_smooth_back(relief, 0.0, 1.0)
    middle = slice(SIZE // 2 - 12, SIZE // 2 + 13)
    before = (rear_of(relief) - rear_of(plain))[middle, middle] * CELL
    after = (rear_of(closed) - rear_of(plain))[middle, middle] * CELL
    assert before.max() > 0.07
    assert before.min() < -0.04
    assert np.abs(after).max() < 0.04
    steps = [np.abs(np.diff(rear, axis=0)).max() for rear in (before, after)]
    assert steps[0] > 4 * CELL
    assert steps[1] < 1.5 * CELL


def test_front_and_sides_stay():
    relief = head(hollow=0.1)
    closed = with_smooth_back(relief, 0.0, 1.0)
    assert np.array_equal(closed[:, :, SIZE // 2 :], relief[:, :, SIZE // 2 :])
    x = np.abs(np.linspace(-0.5, 0.5, SIZE))
    assert np.array_equal(closed[x > RADIUS * 0.85], relief[x > RADIUS * 0.85])
    assert np.array_equal((closed > 0).any(axis=2), (relief > 0).any(axis=2))


def test_a_smooth_back_stays_within_a_cell_or_two():
    plain = head()
    moved = (rear_of(with_smooth_back(plain, 0.0, 1.0)) - rear_of(plain)) * CELL
    x, y = np.meshgrid(*[np.linspace(-0.5, 0.5, SIZE)] * 2, indexing="ij")
    assert np.abs(moved[np.hypot(x, y) < 0.25]).max() < 2.5 * CELL


def test_nothing_becomes_nothing():
    empty = np.full([16] * 3, -10.0)
    assert np.array_equal(with_smooth_back(empty, 0.0, 1.0), empty)
