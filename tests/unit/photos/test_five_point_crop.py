"""EG3D's crop on a face that is placed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import UserError
from triptych.photos.five_point_crop import STANDARD_POINTS, place_face, plan_crop

WIDTH, HEIGHT = 400, 300


def frontal_points(scale: float, x: float, y_up: float) -> np.ndarray:
    """Return the standard face seen from the front, in image coordinates (y down)."""
    up = scale * STANDARD_POINTS[:, :2] + [x, y_up]
    return np.stack([up[:, 0], HEIGHT - 1 - up[:, 1]], axis=1)


def test_a_frontal_face_is_found_where_it_was_put():
    face = place_face(frontal_points(100.0, 210.0, 140.0), HEIGHT)
    assert face.scale == pytest.approx(100.0)
    assert face.centre == pytest.approx((210.0, 140.0))


def test_crop_brings_the_face_to_the_middle_at_standard_size():
    plan = plan_crop(frontal_points(300 / 3.0004, 210.0, 140.0), WIDTH, HEIGHT)
    assert (plan.upsample, plan.width, plan.height) == (pytest.approx(3.0004), 1200, 900)
    # The face's origin lies 10 pixels right of and 10 below the middle: 30.004 when enlarged. As
    # published, -31.996 is cut to -31.
    assert (plan.left, plan.top) == (600 - 512 + 30, 450 - 512 + 31)


def test_a_face_twice_as_large_is_enlarged_half_as_much():
    plans = [plan_crop(frontal_points(s, 200, 150), WIDTH, HEIGHT) for s in (60.0, 120.0)]
    assert plans[0].upsample == pytest.approx(2 * plans[1].upsample)


def test_five_points_are_needed():
    with pytest.raises(UserError, match="five points"):
        place_face(np.zeros((4, 2)), HEIGHT)
