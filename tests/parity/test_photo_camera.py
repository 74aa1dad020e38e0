"""Photo alignment gives EG3D's labels and crops for faces whose pose the reference numbers know."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from psp_numbers import read_numbers

from triptych.camera import TARGET
from triptych.framing import EG3D_FRAMING
from triptych.photos.aligned_photo import frame_face, measured_camera, plan_window
from triptych.photos.detectors.face import Face
from triptych.photos.detectors.rotations import angle_of, turn_to_axis
from triptych.photos.five_point_crop import STANDARD_POINTS, plan_crop

UNTILTED = replace(EG3D_FRAMING, tilt=0.0)
FOCAL_PX, MIDDLE = 3000.0, np.array([320.0, 240.0])


def face_seen_by(cam2world: np.ndarray) -> Face:
    """EG3D's standard face as a camera of the reference numbers sees it."""
    standard = EG3D_FRAMING.unit * STANDARD_POINTS + np.array(EG3D_FRAMING.offset)
    seen = (np.vstack([standard, TARGET]) - cam2world[:3, 3]) @ cam2world[:3, :3]
    places = FOCAL_PX * seen[:, :2] / seen[:, 2:] + MIDDLE
    return Face(
        landmarks=places[:5],
        five=places[:5],
        anchor=places[5],
        unit=FOCAL_PX / float(seen[5, 2]),
        rotation=turn_to_axis(seen[5]) @ cam2world[:3, :3].T,
        detector="reference",
        score=1.0,
        pairs=np.array([1, 0, 2, 4, 3]),
        is_photograph=False,
    )


@pytest.mark.parametrize("index", range(4))
def test_labels_of_known_heads(shared, index):
    numbers = read_numbers(shared, "camera_label")
    face = face_seen_by(np.array(numbers["out/pose_raw"][index], np.float64))
    window = plan_window(plan_crop(face.five, 640, 480), 640, UNTILTED)
    camera = measured_camera(face, window, UNTILTED)
    expected = np.array(numbers["out/pose_orig"][index], np.float64)
    found = camera.cam2world[0].double().numpy()
    # A face model's axis runs through the middle of its own crop, ours through the middle of this
    # one: up to a degree apart. The published labels stray as much from the origin.
    assert math.degrees(angle_of(found[:3, :3] @ expected[:3, :3].T)) < 1.5
    assert found[:3, 3] == pytest.approx(expected[:3, 3], abs=0.06)
    assert camera.intrinsics[0].numpy() == pytest.approx(
        np.array(numbers["out/intrinsics_fixed"]), abs=1e-6
    )


def test_crops_lie_where_the_reference_puts_them(shared):
    numbers = read_numbers(shared, "align_5pt")
    width, height = (int(side) for side in numbers["in/image_size_wh"])
    _, _, left, top = np.moveaxis(np.array(numbers["out/resize_w_h_left_up_1024"]), 1, 0)
    upsample = np.array(numbers["out/scale_300"])
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.uint8(np.stack([x * 255 / width, y * 255 / height, 0 * x], axis=-1))
    rest = face_seen_by(np.array(read_numbers(shared, "camera_label")["out/pose_raw"][0]))
    for index, points in enumerate(np.array(numbers["in/lm5_image_xy_ydown"])):
        aligned = frame_face(ramp, replace(rest, five=points), EG3D_FRAMING)
        middle = (left[index] + 512) / upsample[index], (top[index] + 512) / upsample[index]
        assert (aligned.window.x, aligned.window.y) == pytest.approx(middle, abs=0.3)
        # the ramp's colours say which pixels of the photo the crop shows
        centre = (aligned.image[0, :2, 255:257, 255:257].mean((1, 2)).numpy() + 1) / 2
        assert centre * [width, height] == pytest.approx(middle, abs=3)
