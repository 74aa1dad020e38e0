"""From a face to crop and camera: what was known comes out again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from faces import TEMPLATE, seen_by
from PIL import Image

from triptych.camera import FOCAL, TARGET, look_at_camera
from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.framing import AVATAR_FRAMING, EG3D_FRAMING, FaceFraming
from triptych.models.eg3d_config import (
    EG3DConfig,
    afhqcats512_128_config,
    avatar_config,
    ffhq512_128_config,
)
from triptych.photos.aligned_photo import (
    cut_planned,
    frame_face,
    head_window,
    measured_camera,
    plan_window,
)
from triptych.photos.detectors.rotations import about_x, about_z, angle_of, turn_to_axis
from triptych.photos.five_point_crop import CANVAS, plan_crop

POSES = [(0.0, 0.0, 0.0), (0.6, 0.3, 0.0), (-0.5, -0.3, 0.4), (0.2, 0.1, -0.9)]


@pytest.fixture(scope="module")
def noise():
    coarse = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), POSES)
def test_avatar_crops_are_the_avatars_own_pictures(yaw, pitch, roll):
    _, face = seen_by(yaw, pitch, roll=roll, centre=(311.0, 222.0), picture=333.0)
    window, camera = head_window(face, AVATAR_FRAMING)
    truth = look_at_camera(yaw, pitch)
    torch.testing.assert_close(camera.cam2world, truth.cam2world, atol=2e-6, rtol=0)
    torch.testing.assert_close(camera.intrinsics, truth.intrinsics)
    assert (window.x, window.y) == pytest.approx((311.0, 222.0))
    assert window.side == pytest.approx(333.0)
    assert window.roll == pytest.approx(roll)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), POSES)
def test_avatar_landmarks_lie_where_the_camera_projects_them(noise, yaw, pitch, roll):
    _, face = seen_by(yaw, pitch, roll=roll, centre=(311.0, 222.0), picture=333.0)
    aligned = frame_face(noise, face, AVATAR_FRAMING, 128)
    pose = aligned.camera.cam2world[0].double().numpy()
    seen = (TEMPLATE - pose[:3, 3]) @ pose[:3, :3]
    projected = (FOCAL * seen[:, :2] / seen[:, 2:] + 0.5) * 128
    assert aligned.landmarks == pytest.approx(projected, abs=0.01)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), POSES)
def test_angles_of_a_face(yaw, pitch, roll):
    _, face = seen_by(yaw, pitch, roll=roll)
    # a face's angles are those of the view through its anchor, which is not the world's origin
    forward = -face.rotation[2]
    assert face.yaw == pytest.approx(math.atan2(forward[0], forward[2]))
    assert face.roll == pytest.approx(roll, abs=1e-9)
    assert np.sign(face.yaw) == np.sign(yaw)
    assert np.sign(face.pitch) == np.sign(pitch)
    upright = face.upright_rotation()
    assert upright[0, 1] == pytest.approx(0.0, abs=1e-9)
    assert upright[1, 1] < 0


def eg3d_face(yaw, pitch, roll, *, focal_px=4000.0, centre=(330.0, 260.0)):
    """A face whose five points are EG3D's standard face, seen from 2.7 away, untilted.

    Returns:
        The camera's place, the face, and the rotation of the picture's own camera.
    """
    _, face = seen_by(yaw, pitch, roll=roll)
    standard = EG3D_FRAMING.unit * np.array(EG3D_FRAMING.points) + EG3D_FRAMING.offset
    pose = look_at_camera(yaw, pitch, target=(0.0, 0.0, 0.0)).cam2world[0].double().numpy()
    rotation = about_z(roll) @ pose[:3, :3].T
    seen = (np.vstack([standard, TARGET]) - pose[:3, 3]) @ rotation.T
    places = focal_px * seen[:, :2] / seen[:, 2:] + np.array(centre)
    looking = turn_to_axis(seen[-1]) @ rotation
    face = replace(face, five=places[:5], rotation=looking, anchor=places[5])
    return pose[:3, 3], face, rotation


@pytest.mark.parametrize(("yaw", "pitch", "roll"), POSES)
def test_measured_cameras_are_those_that_took_the_picture(yaw, pitch, roll):
    framing = replace(EG3D_FRAMING, tilt=0.0)
    place, face, rotation = eg3d_face(yaw, pitch, roll)
    window = plan_window(plan_crop(face.five, 640, 480, framing), 640, framing)
    camera = measured_camera(face, window, framing)
    assert float(camera.positions[0].norm()) == pytest.approx(2.7, abs=1e-5)
    assert camera.positions[0].numpy() == pytest.approx(place, abs=0.03)
    # the crop has an axis of its own: through its centre
    axis = np.array([window.x - 330.0, window.y - 260.0, 4000.0])
    found = camera.cam2world[0, :3, :3].double().numpy()
    assert math.degrees(angle_of(found.T @ (turn_to_axis(axis) @ rotation).T)) < 0.2
    # What the label says is where the points are, but for EG3D's own inconsistency: its crops
    # show the face as from 2.9 away, and its labels then move the camera to 2.7.
    standard = framing.unit * np.array(framing.points) + np.array(framing.offset)
    pose = camera.cam2world[0].double().numpy()
    seen = (standard - pose[:3, 3]) @ pose[:3, :3]
    projected = framing.focal * seen[:, :2] / seen[:, 2:]
    assert np.abs(projected - window.to_window(face.five)).max() < 0.025


def test_tilt_turns_the_world_and_nothing_else():
    _, face, _ = eg3d_face(0.3, 0.2, 0.1)
    window = plan_window(plan_crop(face.five, 640, 480), 640, EG3D_FRAMING)
    level = measured_camera(face, window, replace(EG3D_FRAMING, tilt=0.0))
    tilted = measured_camera(face, window, replace(EG3D_FRAMING, tilt=0.1))
    turn = tilted.cam2world[0, :3, :3] @ level.cam2world[0, :3, :3].T
    expected = torch.from_numpy(about_x(0.1)).float()
    torch.testing.assert_close(turn, expected, atol=1e-5, rtol=0)
    assert EG3D_FRAMING.tilt < 0 == AVATAR_FRAMING.tilt


@pytest.mark.parametrize("centre", [(330.0, 260.0), (20.0, 470.0)])
def test_planned_crops_are_the_published_steps(noise, centre):
    _, face, _ = eg3d_face(0.2, 0.1, 0.0, focal_px=900.0, centre=centre)
    plan = plan_crop(face.five, 640, 480)
    upsampled = Image.fromarray(noise).resize((plan.width, plan.height), Image.Resampling.BICUBIC)
    canvas = upsampled.crop((plan.left, plan.top, plan.left + CANVAS, plan.top + CANVAS))
    inner = canvas.crop((162, 162, 862, 862))
    expected = np.asarray(inner.resize((512, 512), Image.Resampling.LANCZOS)).astype(int)
    difference = np.abs(cut_planned(noise, plan, EG3D_FRAMING, 512, 0) - expected)
    assert difference.max() <= 2  # two roundings to whole numbers
    assert difference.mean() < 0.01
    window = plan_window(plan, 640, EG3D_FRAMING)
    assert window.side == pytest.approx(700 / plan.upsample, rel=2e-3)


def test_what_lies_outside_is_filled_and_noted(noise):
    _, face = seen_by(0.0, 0.0, centre=(0.0, 240.0), picture=200.0)
    aligned = frame_face(noise, face, AVATAR_FRAMING, 64, ("known before",))
    assert aligned.notes == ("known before", "50% of the crop lies outside the photo")
    assert aligned.image[0, :, :, :30].sub(0.5).abs().max() < 0.003
    assert aligned.image.shape == (1, 3, 64, 64)


def test_framings_belong_to_models():
    assert avatar_config(5).photo_framing() == AVATAR_FRAMING
    assert ffhq512_128_config().photo_framing() == EG3D_FRAMING
    own = replace(EG3D_FRAMING, crop_size=600)
    config = replace(ffhq512_128_config(), framing=own)
    assert from_dict(EG3DConfig, to_dict(config)).photo_framing() == own
    with pytest.raises(UserError, match="not one of human faces"):
        afhqcats512_128_config().photo_framing()


def test_framings_that_make_no_sense():
    with pytest.raises(UserError, match="keeps the head's roll"):
        FaceFraming(camera="look-at")
    with pytest.raises(UserError, match="got 4 standard points; expected 5"):
        FaceFraming(points=EG3D_FRAMING.points[:4])
