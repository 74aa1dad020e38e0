"""The picture that shows what alignment found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faces import seen_by

from triptych.framing import AVATAR_FRAMING
from triptych.photos.aligned_photo import frame_face
from triptych.photos.overlay import alignment_overlay


@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300)])
def test_photo_and_crop_stand_side_by_side(shape):
    photo = np.full((*shape, 3), 90, np.uint8)
    _, face = seen_by(0.3, 0.1, centre=(150.0, 150.0), picture=120.0)
    aligned = frame_face(photo, face, AVATAR_FRAMING, 128)
    picture = alignment_overlay(photo, aligned, [face])
    scale = min(512 / shape[0], 1024 / shape[1])
    assert picture.shape == (512, round(shape[1] * scale) + 512, 3)
    # the forward axis is blue and drawn over both
    blue = (picture == (60, 110, 240)).all(axis=2)
    assert blue[:, :-512].any()
    assert blue[:, -512:].any()


def test_other_faces_have_grey_boxes():
    photo = np.full((400, 800, 3), 90, np.uint8)
    _, face = seen_by(0.0, 0.0, centre=(200.0, 200.0), picture=200.0)
    other = replace(face, landmarks=face.landmarks + np.array([300.0, 0.0]))
    aligned = frame_face(photo, face, AVATAR_FRAMING, 128)
    alone = alignment_overlay(photo, aligned, [face])
    both = alignment_overlay(photo, aligned, [face, other])
    assert not (alone == 150).all(axis=2).any()
    assert (both == 150).all(axis=2).any()
