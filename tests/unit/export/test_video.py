"""Turntables."""

from __future__ import annotations

import math
import os

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from PIL import Image

from triptych.errors import UserError
from triptych.export.pictures import colour_picture
from triptych.export.video import orbit_angles, save_turntable, save_video, turntable_angles


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


def test_a_video_is_upsampled_for_people_unless_rays_are_cast_for_its_size(tmp_path, toy_portrait):
    rendered = toy_portrait.picture_size
    for name, size in {"a.mp4": 4 * rendered, "a.gif": rendered}.items():
        save_turntable(tmp_path / name, toy_portrait, num_frames=1)
        assert frames_of(tmp_path / name)[0].shape[:2] == (size, size)
    exact = colour_picture(toy_portrait.render(toy_portrait.orbit(0.0, 0.0), size=64).image[0])
    upsampled = Image.fromarray(colour_picture(toy_portrait.render(size=16).image[0]))
    upsampled = np.asarray(upsampled.resize((64, 64), Image.Resampling.LANCZOS))
    for name, settings, expected in (
        ("exact.webp", {"size": 64}, exact),
        ("upsampled.webp", {"size": 64, "rays": 16}, upsampled),
    ):
        save_turntable(tmp_path / name, toy_portrait, num_frames=1, **settings)
        with Image.open(tmp_path / name) as seen:
            found = np.asarray(seen.convert("RGB")).astype(int)
        assert np.abs(found - expected).mean() < 3


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


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_run_for_ever(tmp_path, suffix):
    frames = [np.full((16, 16, 3), grey, np.uint8) for grey in (0, 120, 240)]
    save_video(tmp_path / f"a{suffix}", frames, fps=20)
    with Image.open(tmp_path / f"a{suffix}") as seen:
        assert (seen.n_frames, seen.info["loop"]) == (3, 0)
        for index, frame in enumerate(frames):
            seen.seek(index)
            seen.load()
            assert seen.info["duration"] == 50
            assert np.abs(np.asarray(seen.convert("RGB")).astype(int) - frame).max() < 4
    with pytest.raises(UserError, match="at least one frame"):
        save_video(tmp_path / f"b{suffix}", [])
    assert os.listdir(tmp_path) == [f"a{suffix}"]


def test_orbits_come_back_to_where_they_begin():
    yaw, pitch = orbit_angles("circle", 8)
    assert torch.allclose(yaw.diff(), torch.full((7,), math.pi / 4, dtype=yaw.dtype))
    assert float(pitch.abs().max()) == 0
    yaw, pitch = orbit_angles("sway", 8)
    assert float(yaw.max()) == pytest.approx(0.35)
    assert float(pitch[0]) == pytest.approx(0.25)
    assert torch.equal(orbit_angles("swing", 8)[0], turntable_angles(8)[0])
    with pytest.raises(UserError, match="orbit"):
        orbit_angles("spiral", 8)


def test_a_coarser_film_is_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    for quality in (10, 40):
        save_video(tmp_path / f"{quality}.mp4", list(noise), quality=quality)
    assert (tmp_path / "40.mp4").stat().st_size < (tmp_path / "10.mp4").stat().st_size / 2


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
