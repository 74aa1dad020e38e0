"""KID by hand, and its bias."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import UserError
from triptych.metrics.kernel_distance import kernel_distance


def test_two_points_each_by_hand():
    """d = 1: k(0, 2) = 1, k(1, 1) = 8, k(0, 1) = 1, k(2, 1) = 27: 1 + 8 - 2 * (1 + 27) / 2."""
    first, second = np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])
    assert kernel_distance(first, second) == pytest.approx(1 + 8 - 28)


def test_sets_of_one_distribution_are_near_and_others_far():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 200, 8))
    assert abs(kernel_distance(first, second)) < 0.05
    assert kernel_distance(first, second + 1) > 0.5


def test_one_picture_is_not_enough():
    with pytest.raises(UserError, match="two pictures or more"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
