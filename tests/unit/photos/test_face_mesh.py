"""mediapipe's landmarks: a known photograph, its mirror image; what is said without mediapipe."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from triptych.errors import MissingDependency, UserError
from triptych.framing import EG3D_FRAMING
from triptych.photos.aligner import PhotoAligner
from triptych.photos.detectors.face_mesh import (
    NUM_LANDMARKS,
    FaceMeshFinder,
    five_points_of_mesh,
    load_template,
)
from triptych.photos.detectors.mediapipe_networks import without_chatter
from triptych.photos.detectors.window import Window

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None,
    reason="mediapipe is not installed (extra [photo])",
)


@pytest.fixture(scope="module")
def finder():
    return FaceMeshFinder()


@pytest.fixture(scope="module")
def astronaut():
    from skimage.data import astronaut

    return astronaut()


def test_the_template_is_a_symmetric_face():
    template = load_template()
    places, mirrored = template.places, template.mirrored
    assert places.shape == (NUM_LANDMARKS, 3)
    assert (mirrored[mirrored] == np.arange(NUM_LANDMARKS)).all()
    assert np.abs(places[mirrored] - places * [-1, 1, 1]).max() < 1e-6
    five = five_points_of_mesh(places)
    assert five[0, 0] < 0 < five[1, 0]
    assert five[:2, 1].min() > five[2, 1] > five[3:, 1].max()
    assert places[:, 2].argmax() in (1, 4)  # the tip of the nose


def test_the_framing_of_eg3d_fits_the_template():
    template = five_points_of_mesh(load_template().places)
    standard = EG3D_FRAMING.unit * np.array(EG3D_FRAMING.points)
    cos, sin = math.cos(EG3D_FRAMING.tilt), math.sin(EG3D_FRAMING.tilt)
    tilted = template @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T
    fitted = EG3D_FRAMING.head_scale * (tilted - tilted.mean(axis=0))
    assert np.abs(fitted - (standard - standard.mean(axis=0))).max() < 0.005


def test_without_mediapipe_the_message_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingDependency, match=r'pip install "triptych\[photo\]"'):
        FaceMeshFinder()


def test_a_mediapipe_without_networks_is_named(monkeypatch):
    newer = types.ModuleType("mediapipe")
    newer.__version__ = "0.10.35"
    monkeypatch.setitem(sys.modules, "mediapipe", newer)
    with pytest.raises(UserError, match=r"0\.10\.35 carries no face networks; version 0\.10\.21"):
        FaceMeshFinder()


@needs_mediapipe
def test_a_known_photograph(finder, astronaut):
    (face,) = finder.find(astronaut)
    assert face.detector == "mediapipe"
    assert face.score > 0.8
    # pixels measured with mediapipe itself on the whole picture
    for index, place in ((33, (194.65, 100.94)), (263, (256.71, 104.08)), (61, (201.85, 139.45))):
        assert face.landmarks[index] == pytest.approx(place, abs=2.5)
    assert math.degrees(face.yaw) == pytest.approx(0, abs=3)
    assert math.degrees(face.pitch) == pytest.approx(0, abs=6)
    assert math.degrees(face.roll) == pytest.approx(2, abs=2)


@needs_mediapipe
def test_the_mirror_image_has_the_mirrored_pose(finder, astronaut):
    (face,) = finder.find(astronaut)
    (other,) = finder.find(astronaut[:, ::-1])
    assert math.degrees(abs(face.yaw + other.yaw)) < 1.5
    assert math.degrees(abs(face.roll + other.roll)) < 1.5
    assert math.degrees(abs(face.pitch - other.pitch)) < 1.5
    assert other.unit == pytest.approx(face.unit, rel=0.03)


@needs_mediapipe
def test_turning_the_picture_turns_the_head_and_nothing_else(finder, astronaut):
    turned = np.asarray(
        Image.fromarray(astronaut).rotate(-20, Image.Resampling.BICUBIC, center=(224, 118))
    )
    (face,), (other,) = finder.find(astronaut), finder.find(turned)
    assert math.degrees(other.roll - face.roll) == pytest.approx(20, abs=2)
    assert math.degrees(abs(other.yaw - face.yaw)) < 4
    assert math.degrees(abs(other.pitch - face.pitch)) < 4


@needs_mediapipe
@pytest.mark.parametrize("turn_deg", [50, 90, 130, 180, 215, 270, 310])
def test_a_picture_turned_by_any_angle(finder, astronaut, turn_deg):
    """A phone that stored no turn; what was accepted upside down before had a roll of 0."""
    turned = np.asarray(
        Image.fromarray(astronaut).rotate(
            -turn_deg, Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128)
        )
    )
    (face,), (other,) = finder.find(astronaut), finder.find(turned)
    off = math.remainder(other.roll - face.roll - math.radians(turn_deg), 2 * math.pi)
    assert math.degrees(abs(off)) < 3
    assert math.degrees(abs(other.yaw - face.yaw)) < 4
    assert math.degrees(abs(other.pitch - face.pitch)) < 4
    assert other.unit == pytest.approx(face.unit, rel=0.05)


@needs_mediapipe
def test_the_crop_of_a_picture_upside_down_is_upright(finder, astronaut):
    aligner = PhotoAligner(finders={"mediapipe": lambda: finder}, detector="mediapipe", size=64)
    upright, other = aligner(astronaut).image, aligner(astronaut[::-1, ::-1].copy()).image
    assert float((upright - other).abs().mean()) < 0.05


@needs_mediapipe
def test_the_smallest_face_that_is_used_in_a_large_photo(finder, astronaut):
    large = np.full((3000, 4000, 3), 90, np.uint8)
    large[:, ::50] = 150
    (face,) = finder.find(astronaut)
    side = round(512 * 36 / face.width)
    small = Image.fromarray(astronaut).resize((side, side), Image.Resampling.LANCZOS)
    large[2100 : 2100 + side, 3300 : 3300 + side] = np.asarray(small)
    (found,) = finder.find(large)
    assert found.width == pytest.approx(36, rel=0.15)
    assert found.anchor == pytest.approx(
        [3300 + face.anchor[0] * side / 512, 2100 + face.anchor[1] * side / 512], abs=6
    )


@needs_mediapipe
def test_small_faces_far_from_the_middle_are_found(finder, astronaut):
    large = np.full((1200, 1600, 3), 90, np.uint8)
    small = np.asarray(Image.fromarray(astronaut).resize((300, 300), Image.Resampling.BICUBIC))
    large[100:400, 1200:1500] = small
    (face,) = finder.find(large)
    assert face.anchor == pytest.approx([1200 + 225 * 300 / 512, 100 + 112 * 300 / 512], abs=6)


@needs_mediapipe
def test_two_faces_come_the_larger_first(finder, astronaut):
    pair = np.full((512, 900, 3), 90, np.uint8)
    pair[:300, :300] = np.asarray(Image.fromarray(astronaut).resize((300, 300)))
    pair[:, 388:] = astronaut
    first, second = finder.find(pair)
    assert first.anchor[0] > 388 > second.anchor[0]
    assert first.unit > second.unit


@needs_mediapipe
def test_no_face(finder):
    from skimage.data import coffee

    assert finder.find(coffee()) == []
    assert finder.landmarks(coffee(), Window(300, 200, 400)) is None


@needs_mediapipe
def test_a_cat_is_no_face_at_any_turn(finder):
    from skimage.data import chelsea

    large = np.asarray(Image.fromarray(chelsea()).resize((1600, 1080), Image.Resampling.BICUBIC))
    assert finder.find(large) == []


@needs_mediapipe
def test_nothing_is_written_to_the_terminal(astronaut, capfd):
    FaceMeshFinder().find(astronaut)
    assert capfd.readouterr().err == ""


def descriptor():
    """What the file descriptor of stderr leads to."""
    found = os.fstat(2)
    return found.st_dev, found.st_ino


@needs_mediapipe
def test_threads_find_the_same_and_leave_stderr_alone(astronaut, capfd):
    before, pictures = descriptor(), [astronaut, astronaut[:, ::-1].copy()] * 4
    finder = FaceMeshFinder()
    with ThreadPoolExecutor(8) as pool:
        faces = list(pool.map(finder.find, pictures))
    assert descriptor() == before
    for picture, (face,) in zip(pictures, faces, strict=True):
        (alone,) = finder.find(picture)
        assert (face.landmarks == alone.landmarks).all()
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_what_others_write_while_chatter_is_left_out_is_passed_on(capfd):
    before = descriptor()

    def build(number):
        with without_chatter():
            os.write(2, b"W0000 00:00:1796030004.168193 18529 manager.cc:114] Feedback\n")
            os.write(2, f"thread {number}\n".encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(build, range(20)))
    assert descriptor() == before
    assert sorted(capfd.readouterr().err.split("\n")) == sorted(
        ["", *(f"thread {number}" for number in range(20))]
    )


@needs_mediapipe
@pytest.mark.parametrize("name", ["photo_8.jpg", "photo_9.jpg", "photo_10.jpg", "photo_14.jpg"])
def test_pictures_in_eg3ds_crop_stay_as_they_are(shared, finder, name):
    aligner = PhotoAligner(
        EG3D_FRAMING, finders={"mediapipe": lambda: finder}, detector="mediapipe"
    )
    window = aligner(shared / "portraits" / name).window
    assert (window.x, window.y) == pytest.approx((256, 256), abs=7)
    assert window.side == pytest.approx(512, rel=0.05)
