"""mediapipe's landmarks: a known photograph, its mirror image; what is said without mediapipe."""

from __future__ import annotations

import importlib.util
import math
import sys
import types

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
def test_nothing_is_written_to_the_terminal(astronaut, capfd):
    FaceMeshFinder().find(astronaut)
    assert capfd.readouterr().err == ""


@needs_mediapipe
@pytest.mark.parametrize("name", ["photo_8.jpg", "photo_9.jpg", "photo_10.jpg", "photo_14.jpg"])
def test_pictures_in_eg3ds_crop_stay_as_they_are(shared, finder, name):
    aligner = PhotoAligner(
        EG3D_FRAMING, finders={"mediapipe": lambda: finder}, detector="mediapipe"
    )
    window = aligner(shared / "portraits" / name).window
    assert (window.x, window.y) == pytest.approx((256, 256), abs=7)
    assert window.side == pytest.approx(512, rel=0.05)
