"""The Frechet distance of clouds whose means and covariances are known."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import UserError
from triptych.metrics.frechet import frechet_distance

CROSS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
"""Mean 0, covariance 2/3 of the unit matrix."""


def test_equal_clouds_are_at_no_distance():
    assert frechet_distance(CROSS, CROSS[::-1]) == pytest.approx(0, abs=1e-9)


def test_a_shift_counts_by_its_square():
    assert frechet_distance(CROSS, CROSS + [3.0, 4.0]) == pytest.approx(25)


def test_widths_count_by_the_square_of_their_difference():
    # Standard deviations sqrt(2/3) and 3 sqrt(2/3) in each of two directions.
    assert frechet_distance(CROSS, 3 * CROSS) == pytest.approx(2 * (2 / 3) * (3 - 1) ** 2)


def test_orientation_matters_and_order_does_not():
    tall, wide = CROSS * [1.0, 5.0], CROSS * [5.0, 1.0]
    distance = frechet_distance(tall, wide)
    # Covariances commute: the sum of squared differences of standard deviations.
    assert distance == pytest.approx(2 * (2 / 3) * (5 - 1) ** 2)
    assert frechet_distance(wide, tall) == pytest.approx(distance)


def test_fewer_pictures_than_features_are_no_obstacle():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 4, 30))
    assert 0 < frechet_distance(first, second) < 200


def test_one_picture_has_no_spread():
    with pytest.raises(UserError, match="two pictures or more"):
        frechet_distance(CROSS[:1], CROSS)
