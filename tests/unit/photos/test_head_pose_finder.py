"""The embedded network finds the generator's own heads, whose cameras are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from triptych.avatars.styles.filters import filter_pixels
from triptych.camera import FOCAL, TARGET, look_at_camera
from triptych.export.pictures import colour_picture
from triptych.photos.aligner import PhotoAligner
from triptych.photos.detectors.head_pose import HeadPoseFinder
from triptych.photos.detectors.rotations import angle_of
from triptych.systems.generate.pipeline import GeneratePipeline

SIZE = 128
POSES = [(0.0, 0.0), (0.45, 0.1), (-0.5, -0.15)]


@pytest.fixture(scope="module")
def finder():
    return HeadPoseFinder.from_pretrained()


@pytest.fixture(scope="module")
def portrait():
    return GeneratePipeline.from_pretrained("avatar")(seed=12)


@pytest.fixture(scope="module")
def pictures(portrait):
    """Pictures of one head by pose."""
    return {
        pose: colour_picture(portrait.render(look_at_camera(*pose), SIZE).image[0])
        for pose in POSES
    }


def true_rotation(pose):
    return look_at_camera(*pose).cam2world[0, :3, :3].double().numpy().T


def error_deg(face, rotation):
    return math.degrees(angle_of(face.rotation @ rotation.T))


@pytest.mark.parametrize("pose", POSES)
def test_known_heads(finder, pictures, pose):
    (face,) = finder.find(pictures[pose])
    assert face.detector == "avatar network"
    assert face.score > 0.6
    assert error_deg(face, true_rotation(pose)) < 6
    assert face.anchor == pytest.approx([64, 64], abs=3)
    camera = look_at_camera(*pose)
    distance = float((camera.positions[0].numpy() - np.array(TARGET)) @ -camera.forward[0].numpy())
    assert face.unit == pytest.approx(FOCAL * SIZE / distance, rel=0.08)
    left_eye, right_eye = face.five[1], face.five[0]
    assert left_eye[0] > right_eye[0]


def test_mirror_images_have_mirrored_poses(finder, pictures):
    pixels = pictures[POSES[1]]
    (face,), (other,) = finder.find(pixels), finder.find(np.ascontiguousarray(pixels[:, ::-1]))
    assert math.degrees(abs(face.yaw + other.yaw)) < 2
    assert math.degrees(abs(face.pitch - other.pitch)) < 2
    assert other.landmarks[face.pairs] * [-1, 1] + [SIZE, 0] == pytest.approx(face.landmarks, abs=1)


@pytest.mark.parametrize("turn_deg", [-35, 25])
def test_turned_pictures(finder, pictures, turn_deg):
    pixels = Image.fromarray(pictures[POSES[1]]).rotate(
        -turn_deg, Image.Resampling.BICUBIC, fillcolor=(191, 191, 191)
    )
    (face,) = finder.find(np.asarray(pixels))
    assert math.degrees(face.roll) == pytest.approx(turn_deg, abs=5)
    assert math.degrees(abs(face.yaw - 0.45)) < 7


def test_small_heads_off_the_middle(finder, pictures):
    large = np.full((400, 640, 3), 191, np.uint8)
    large[220:380, 420:580] = np.asarray(Image.fromarray(pictures[POSES[2]]).resize((160, 160)))
    face = finder.find(large)[0]
    assert face.anchor == pytest.approx([500, 300], abs=6)
    assert error_deg(face, true_rotation(POSES[2])) < 8


@pytest.mark.parametrize("drawn", ["pencil", "oil"])
def test_drawn_heads(finder, pictures, drawn):
    pixels = filter_pixels(drawn, pictures[POSES[1]], np.ones((SIZE, SIZE), np.float32))
    (face,) = finder.find(pixels)
    assert error_deg(face, true_rotation(POSES[1])) < 10


def test_pictures_of_other_things(finder):
    rng = np.random.default_rng(0)
    for pixels in (
        np.full((200, 300, 3), 191, np.uint8),
        rng.integers(0, 256, (200, 200, 3), dtype=np.uint8),
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((300, 200))
        ),
    ):
        assert finder.find(pixels) == []


def test_the_photograph_of_an_astronaut(finder):
    from skimage.data import astronaut

    (face,) = finder.find(astronaut())
    assert face.anchor == pytest.approx([225, 112], abs=8)
    assert math.degrees(abs(face.yaw)) < 5


def test_crops_for_the_embedded_models_are_the_pictures_again(finder, pictures):
    align = PhotoAligner(size=SIZE, finders={"avatar": lambda: finder, "mediapipe": lambda: finder})
    for pose, pixels in pictures.items():
        aligned = align(pixels)
        difference = aligned.image[0].permute(1, 2, 0).numpy() * 127.5 + 127.5 - pixels
        assert np.abs(difference).mean() < 14
        yaw, pitch = float(aligned.camera.yaw), float(aligned.camera.pitch)
        assert math.degrees(math.hypot(yaw - pose[0], pitch - pose[1])) < 6
