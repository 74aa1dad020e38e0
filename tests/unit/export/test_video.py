"""Turntables."""

from __future__ import annotations

import math
import os

import imageio.v2 as imageio
import numpy as np
import pytest

from triptych.errors import UserError
from triptych.export.video import save_turntable, save_video, turntable_angles


def frames_of(path) -> list[np.ndarray]:
    with imageio.get_reader(path) as reader:
        return [frame for frame in reader]  # its length is unknown, so list() fails


def test_the_camera_swings_to_both_sides_and_comes_back():
    yaw, pitch = turntable_angles(60)
    assert yaw.shape == pitch.shape == (60,)
    assert float(yaw[0]) == pytest.approx(0.0, abs=1e-6)
    assert math.degrees(float(yaw.max())) == pytest.approx(35.0, abs=0.1)
    assert math.degrees(float(yaw.min())) == pytest.approx(-35.0, abs=0.1)
    assert 3.0 < math.degrees(float(pitch.max())) < 10.0
    step = (yaw - yaw.roll(1)).abs()
    assert float(step[0]) == pytest.approx(float(step.max()), rel=0.02)


def test_a_turntable_has_the_frames_and_the_size_asked_for(tmp_path, toy_portrait):
    counted = []
    path = tmp_path / "a.mp4"
    save_turntable(path, toy_portrait, num_frames=6, size=32, step=counted.append)
    frames = frames_of(path)
    assert len(frames) == 6
    assert frames[0].shape == (32, 32, 3)
    assert sum(counted) == 6
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_the_same_portrait_gives_the_same_file(tmp_path, toy_portrait):
    for name in ("a.mp4", "b.mp4"):
        save_turntable(tmp_path / name, toy_portrait, num_frames=3, size=32)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_colours_survive_the_film(tmp_path):
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, :32] = (200, 60, 30)
    frame[:, 32:] = (40, 90, 220)
    save_video(tmp_path / "a.mp4", [frame] * 4)
    shown = frames_of(tmp_path / "a.mp4")[2].astype(int)
    assert np.abs(shown[8:56, 4:28] - (200, 60, 30)).max() < 12
    assert np.abs(shown[8:56, 36:60] - (40, 90, 220)).max() < 12


def test_odd_sides_grow_by_a_pixel(tmp_path):
    save_video(tmp_path / "a.mp4", [np.full((33, 35, 3), 128, np.uint8)] * 2)
    assert frames_of(tmp_path / "a.mp4")[0].shape == (34, 36, 3)


def test_nothing_half_written_stays(tmp_path):
    def frames():
        yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_video(tmp_path / "a.mp4", frames())
    assert os.listdir(tmp_path) == []


def test_a_film_needs_frames(tmp_path, toy_portrait):
    with pytest.raises(UserError, match="at least one frame"):
        save_video(tmp_path / "a.mp4", [])
    with pytest.raises(UserError, match="number of frames: got 0"):
        save_turntable(tmp_path / "a.mp4", toy_portrait, num_frames=0)
    assert os.listdir(tmp_path) == []
