"""Uncertainty of mirror images: low where a face is symmetric, high where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from faces import seen_by

from triptych.framing import AVATAR_FRAMING
from triptych.photos.aligned_photo import frame_face
from triptych.photos.mirror_uncertainty import SIZE, mirror_uncertainty

MIDDLE = SIZE // 2


def uncertainty_of(pixels):
    _, face = seen_by(0.0, 0.0, centre=(150.0, 150.0), picture=300.0)
    aligned = frame_face(pixels, face, AVATAR_FRAMING, 300)
    return mirror_uncertainty(aligned.image, aligned.landmarks, face.pairs)


@pytest.fixture(scope="module")
def even():
    return np.full((300, 300, 3), 120, np.uint8)


def test_an_even_face_is_trusted_and_its_surroundings_are_not(even):
    uncertainty = uncertainty_of(even)
    assert uncertainty.shape == (SIZE, SIZE)
    assert uncertainty.dtype == np.float32
    assert uncertainty[MIDDLE, MIDDLE] == pytest.approx(0.1, abs=0.02)
    assert uncertainty[2, 2] == pytest.approx(1.0, abs=0.02)


def test_light_from_one_side_makes_both_uncertain(even):
    lit = even.copy()
    lit[:, 150:] = 200
    # the eyes of the template are 0.065 world units off the middle: 28 pixels of the map
    plain, uncertainty = uncertainty_of(even), uncertainty_of(lit)
    for column in (MIDDLE - 28, MIDDLE + 28):
        assert uncertainty[MIDDLE + 30, column] > plain[MIDDLE + 30, column] + 0.3
    assert uncertainty == pytest.approx(uncertainty[:, ::-1], abs=0.08)


def test_uncertainty_is_bounded(even):
    wild = even.copy()
    wild[:, :150], wild[:, 150:] = 0, 255
    uncertainty = uncertainty_of(wild)
    assert uncertainty.min() > 0.09
    assert uncertainty.max() < 1.41
