"""Films: their colours, their form, and every way in which ffmpeg may fail."""

from __future__ import annotations

import os
import subprocess

import imageio.v2 as imageio
import numpy as np
import psutil
import pytest

from triptych.errors import UserError
from triptych.export.h264 import find_ffmpeg
from triptych.export.video import save_video

GREEN, ORANGE = (30, 180, 60), (200, 60, 30)
NOISE = np.random.default_rng(0).integers(0, 256, (20, 96, 96, 3), dtype=np.uint8)


@pytest.fixture
def film(tmp_path):
    """A film of 720 pixels: green on the left, orange on the right."""
    frame = np.zeros((720, 720, 3), np.uint8)
    frame[:, :360], frame[:, 360:] = GREEN, ORANGE
    save_video(tmp_path / "film.mp4", [frame] * 2)
    return tmp_path / "film.mp4"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Return a function that puts a shell script in the place of ffmpeg."""

    def pretend(script: str) -> None:
        file = tmp_path / "ffmpeg"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(file))

    return pretend


def bt709(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """Return Y, Cb, Cr in limited range: ITU-R BT.709-6, items 3.2 to 3.4."""
    luma = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
    cb, cr = (blue / 255 - luma) / 1.8556, (red / 255 - luma) / 1.5748
    return 16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr


def decoded(film, form: str, *options: str) -> bytes:
    """Return the first frame as raw numbers."""
    command = [find_ffmpeg(), "-v", "error", "-i", film, "-frames:v", "1", *options]
    command += ["-f", "rawvideo", "-pix_fmt", form, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_colours_are_stored_by_the_matrix_of_bt709(film):
    planes = np.frombuffer(decoded(film, "yuv420p"), np.uint8)
    luma, cb, cr = np.split(planes.astype(float), [720 * 720, 720 * 720 * 5 // 4])
    luma, cb, cr = luma.reshape(720, 720), cb.reshape(360, 360), cr.reshape(360, 360)
    for colour, part in ((GREEN, slice(20, 300)), (ORANGE, slice(420, 700))):
        half = slice(part.start // 2, part.stop // 2)
        stored = (luma[:, part].mean(), cb[:, half].mean(), cr[:, half].mean())
        assert stored == pytest.approx(bt709(*colour), abs=1)


def test_a_player_shows_green_within_two_levels(film):
    with imageio.get_reader(film) as reader:
        shown = next(iter(reader)).astype(int)
    assert np.abs(shown[20:-20, 20:340] - GREEN).max() <= 2
    by_matrix = decoded(film, "rgb24", "-vf", "scale=in_color_matrix=bt709:in_range=tv")
    shown = np.frombuffer(by_matrix, np.uint8).reshape(720, 720, 3).astype(int)
    assert np.abs(shown[20:-20, 20:340] - GREEN).max() <= 2


def test_the_film_says_how_its_colours_are_stored(film):
    command = [find_ffmpeg(), "-hide_banner", "-i", film]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    assert "yuv420p(tv, bt709" in said
    assert "unknown" not in said
    # The container's colour box: primaries, transfer and matrix 1 (ISO/IEC 23091-2), limited range.
    assert b"colrnclx" + bytes([0, 1, 0, 1, 0, 1, 0]) in film.read_bytes()


def test_the_index_comes_first(film):
    content = film.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_frames_of_several_sizes_are_refused(tmp_path):
    frames = [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 18, 3), np.uint8)]
    with pytest.raises(UserError, match=r"got uint8 \[16, 18, 3\]; expected uint8 \[h, w, 3\]"):
        save_video(tmp_path / "a.mp4", frames)
    with pytest.raises(UserError, match=r"frame of a video: got float32 \[16, 16, 3\]"):
        save_video(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.float32)])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["-y", "http:", "a%03d", "a b", "'quoted'", "caf\u00e9\udce9"])
def test_a_name_is_nothing_but_a_name(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    save_video(f"{name}/{name}.mp4", NOISE[:1])
    assert os.listdir(tmp_path / name) == [f"{name}.mp4"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "status 0 and no message"),
        ("cat > /dev/null", "the file is not whole"),
        ("cat > /dev/null; echo out of luck >&2; exit 3", ": out of luck"),
        ("kill -9 $$", "stopped by the signal Killed"),
        ("yes '[mp4 @ 0x55aa] trouble' | head -c 300000 >&2; exit 1", ": trouble trouble"),
        ('for file; do :; done; cat > "${file#file:}"', "the file is not whole"),
        ('for file; do :; done; head -c 9 > "${file#file:}"; cat > /dev/null', "is not whole"),
    ],
)
def test_a_failing_ffmpeg_replaces_nothing(tmp_path, program, script, said):
    (tmp_path / "a.mp4").write_text("earlier")
    program(script)
    with pytest.raises(UserError, match=f"cannot write .*a.mp4: ffmpeg failed.*{said}") as caught:
        save_video(tmp_path / "a.mp4", NOISE)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
    assert "0x55aa" not in str(caught.value)
    assert (tmp_path / "a.mp4").read_text() == "earlier"
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "ffmpeg"]


def test_a_missing_ffmpeg_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "absent"))
    with pytest.raises(UserError, match="ffmpeg is missing.*pip install imageio-ffmpeg"):
        save_video(tmp_path / "a.mp4", NOISE)
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", nothing_found)
    with pytest.raises(UserError, match="ffmpeg is missing.*none was found"):
        save_video(tmp_path / "a.mp4", NOISE)
    assert os.listdir(tmp_path) == []


def nothing_found() -> str:
    raise RuntimeError("No ffmpeg exe could be found.")


@pytest.mark.parametrize("kilobytes", [1, 40])
def test_a_disk_that_fills_up_replaces_nothing(tmp_path, program, kilobytes):
    """A limit on the size of files acts as a full disk does."""
    (tmp_path / "a.mp4").write_text("earlier")
    program(f'ulimit -f {2 * kilobytes}; exec "{find_ffmpeg()}" "$@"')
    with pytest.raises(UserError, match=r"cannot write .*a\.mp4: ffmpeg failed.*File too large"):
        save_video(tmp_path / "a.mp4", NOISE)
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "ffmpeg"]
    assert (tmp_path / "a.mp4").read_text() == "earlier"


def test_an_error_while_frames_are_made_is_the_one_that_is_told(tmp_path):
    def frames():
        yield NOISE[0]
        raise OSError("the photo is gone")

    with pytest.raises(UserError, match="the photo is gone"):
        save_video(tmp_path / "a.mp4", frames())
    assert os.listdir(tmp_path) == []


def test_no_process_stays_behind(tmp_path):
    others, running = psutil.Process().children(), []

    def frames():
        yield NOISE[0]
        running.extend(child for child in psutil.Process().children() if child not in others)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_video(tmp_path / "a.mp4", frames())
    assert running
    assert not any(process.is_running() for process in running)
