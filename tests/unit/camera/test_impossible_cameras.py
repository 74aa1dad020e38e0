"""A camera that cannot be used is one line from `Camera`, before anything is rendered."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from triptych.camera import Camera, eg3d_look_at, frontal_camera, look_at_camera, orbit
from triptych.errors import UserError
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.picture_source import sources_of

NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("number", NOT_FINITE)
@pytest.mark.parametrize("place", range(25))
def test_every_number_of_a_label_is_finite(place, number):
    label = torch.cat([frontal_camera().label25()] * 3)
    label[1, place] = number
    with pytest.raises(UserError, match="camera 1 of 3 cannot be used: .* expected finite numbers"):
        Camera.from_label25(label)


@pytest.mark.parametrize("focal", [0.0, -4.2647])
@pytest.mark.parametrize("axis", [0, 1])
def test_focal_lengths_are_above_0(axis, focal):
    camera = frontal_camera()
    intrinsics = camera.intrinsics.clone()
    intrinsics[0, axis, axis] = focal
    with pytest.raises(UserError, match="focal lengths above 0"):
        Camera(camera.cam2world, intrinsics)


def test_labels_of_zeros_are_no_cameras():
    with pytest.raises(
        UserError, match=r"got the position \(0, 0, 0\) and the focal lengths \(0, 0\)"
    ):
        Camera.from_label25(torch.zeros(1, 25))


@pytest.mark.parametrize("place", [look_at_camera, eg3d_look_at])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"radius": 0.0}, "camera radius: got 0"),
        ({"radius": math.nan}, "camera radius: got nan"),
        ({"radius": 1e30}, "camera radius: got 1e"),
        ({"focal": 0.0}, "camera focal length: got 0"),
        ({"focal": math.inf}, "camera focal length: got inf"),
        ({"focal": "long"}, "focal: got 'long'; expected a number"),
        ({"target": (0.0, math.nan, 0.0)}, "camera target: got nan"),
        ({"target": (0.0, 0.0)}, "camera target: got 2 numbers; expected 3"),
        ({"target": (0.0, -1.0, 2.7)}, "cannot look straight up or down"),
    ],
)
def test_where_a_camera_is_placed_is_checked(place, changes, said):
    frontal = (0.0, 0.0) if place is look_at_camera else (math.pi / 2, math.pi / 2)
    with pytest.raises(UserError, match=said):
        place(*frontal, **changes)


def test_a_camera_does_not_stand_at_its_target():
    with pytest.raises(UserError, match="nor stand at its target"):
        look_at_camera(0.0, 0.0, target=(0.0, 0.0, 2.7))


@pytest.mark.parametrize("place", [look_at_camera, eg3d_look_at])
@pytest.mark.parametrize(
    ("angles", "said"),
    [
        ((math.nan, 0.1), "camera angles: got nan"),
        ((0.1, math.inf), "camera angles: got inf"),
        ((torch.tensor([0.0, -math.inf]), 0.1), "camera angles: got -inf"),
        (("left", 0.1), "got 'left'; expected a number"),
        ((torch.zeros(2), torch.zeros(3)), "vectors of one length"),
        ((torch.zeros(0), 0.1), "got no numbers"),
    ],
)
def test_angles_are_finite_numbers(place, angles, said):
    with pytest.raises(UserError, match=said):
        place(*angles)


def test_an_orbit_has_at_least_one_view():
    with pytest.raises(UserError, match="number of cameras: got 0"):
        orbit(0)


def test_tensors_without_numbers_are_taken_as_they_are():
    matrices = torch.eye(4)[None], torch.eye(3)[None]
    fake = FakeTensorMode()
    assert len(Camera(*(fake.from_tensor(matrix) for matrix in matrices))) == 1
    assert len(Camera(*(matrix.to("meta") for matrix in matrices))) == 1


BAD_LABELS = {
    "25 NaN": "[" + ", ".join(["NaN"] * 25) + "]",
    "an infinite number": json.dumps(frontal_camera().label25()[0].tolist()[:24] + [math.inf]),
    "beyond float32": "[" + ", ".join(["1e300"] * 25) + "]",
    "beyond float64": "[" + ", ".join(["1e400"] * 25) + "]",
    "words": json.dumps(["front"] * 25),
    "lists": json.dumps([[0.0]] * 25),
    "nothing": json.dumps([None] * 25),
    "zeros": json.dumps([0] * 25),
}


def test_a_file_with_whole_numbers_beyond_float64_is_not_read(tmp_path):
    label = "[" + ", ".join(["1" + "0" * 400] * 25) + "]"
    (tmp_path / "dataset.json").write_text(f'{{"labels": [["a.png", {label}]]}}')
    with pytest.raises(UserError, match=r"dataset\.json cannot be read: .* more than 64 bits"):
        LabelledImages(tmp_path)


@pytest.mark.parametrize("label", BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_labels_in_files_name_the_file_and_the_picture(tmp_path, label):
    good = json.dumps(frontal_camera().label25()[0].tolist())
    text = f'{{"labels": [["a.png", {good}], ["b.png", {label}]]}}'
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(UserError, match=r"dataset\.json: the camera of 'b\.png': "):
        LabelledImages(tmp_path)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "photo.json").write_text(f'{{"camera": {label}}}')
    (alone / "photo.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"photo\.json: the camera: "):
        sources_of(alone / "photo.png", print)
