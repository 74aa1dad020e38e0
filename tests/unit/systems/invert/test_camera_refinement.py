"""Refining a camera through a renderer that is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from triptych.camera import Camera, look_at_camera
from triptych.errors import UserError
from triptych.systems.invert.refinement.camera import RefinementConfig, refine_camera

SIZE = 32
BLOBS = torch.tensor(
    [[0.1, 0.1, 0.2], [-0.12, 0.05, 0.15], [0.0, -0.12, 0.28], [0.05, 0.0, -0.1], [-0.1, -0.1, 0.1]]
)


def blobs_seen_by(camera: Camera) -> torch.Tensor:
    """Soft coloured blobs at known world points."""
    pose = camera.cam2world[0]
    seen = (BLOBS - pose[:3, 3]) @ pose[:3, :3]
    places = 4.2647 * seen[:, :2] / seen[:, 2:]
    steps = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = (steps[None, :] - places[:, :1, None]), (steps[:, None] - places[:, 1:, None])
    blobs = torch.exp(-(x.square() + y.square()) / 0.01)
    colours = torch.linspace(-0.8, 0.9, 5)[:, None] * torch.tensor([[1.0, -0.5, 0.3]])
    return torch.einsum("khw,kc->chw", blobs, colours)[None].clamp(-1, 1)


def off_by_deg(camera: Camera, truth: Camera) -> float:
    turn = camera.cam2world[0, :3, :3].T @ truth.cam2world[0, :3, :3]
    return math.degrees(math.acos(min(1.0, float((turn.trace() - 1) / 2))))


@pytest.mark.parametrize(("yaw", "pitch"), [(0.08, -0.05), (-0.1, 0.06)])
def test_a_camera_some_degrees_off_comes_home(yaw, pitch):
    truth = look_at_camera(0.3, 0.1)
    image = blobs_seen_by(truth)
    start = look_at_camera(0.3 + yaw, 0.1 + pitch)
    refined = refine_camera(blobs_seen_by, image, start, RefinementConfig(steps=60))
    assert off_by_deg(start, truth) > 4
    assert off_by_deg(refined.camera, truth) < 0.5
    assert refined.after < 0.1 * refined.before
    assert float(refined.camera.positions[0].norm()) == pytest.approx(2.7, abs=1e-4)
    assert math.degrees(refined.turn) == pytest.approx(off_by_deg(refined.camera, start), rel=0.05)


def test_nothing_is_made_worse():
    truth = look_at_camera(0.0, 0.0)
    refined = refine_camera(blobs_seen_by, blobs_seen_by(truth), truth)
    assert refined.after == refined.before == 0.0
    torch.testing.assert_close(refined.camera.cam2world, truth.cam2world)


def test_roll_can_be_left_alone():
    truth = look_at_camera(0.2, 0.0)
    start = look_at_camera(0.25, 0.05)
    config = RefinementConfig(steps=30, roll=False)
    refined = refine_camera(blobs_seen_by, blobs_seen_by(truth), start, config)
    # a camera that only pitches and yaws about its own axes keeps its right vector nearly level
    assert refined.after < 0.5 * refined.before
    assert abs(float(refined.camera.cam2world[0, 1, 0])) < 0.01


def test_the_camera_stays_within_its_limits():
    truth, start = look_at_camera(0.5, 0.0), look_at_camera(0.0, 0.0)
    config = RefinementConfig(steps=30, largest_turn=0.05, largest_shift=0.0)
    refined = refine_camera(blobs_seen_by, blobs_seen_by(truth), start, config)
    assert refined.turn <= 0.05 * math.sqrt(3) + 1e-6


def test_another_distance_may_be_used():
    truth, start = look_at_camera(0.1, 0.0), look_at_camera(0.15, 0.0)
    refined = refine_camera(
        blobs_seen_by, blobs_seen_by(truth), start, distance=lambda a, b: (a - b).square().sum()
    )
    assert off_by_deg(refined.camera, truth) < 0.6


def test_mistakes_of_the_caller():
    two = look_at_camera(torch.tensor([0.0, 0.1]), 0.0)
    with pytest.raises(UserError, match="got 2 views; expected one"):
        refine_camera(blobs_seen_by, torch.zeros(1, 3, SIZE, SIZE), two)
    with pytest.raises(UserError, match="differ in shape"):
        refine_camera(blobs_seen_by, torch.zeros(1, 3, 8, 8), look_at_camera(0.0, 0.0))
