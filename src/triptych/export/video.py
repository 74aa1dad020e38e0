"""Videos: a camera that swings around a portrait."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import check_range, check_whole
from triptych.export.h264 import encode_h264
from triptych.export.pictures import colour_picture
from triptych.files import atomic_path
from triptych.ops.colour import check_pixels
from triptych.portrait import Portrait
from triptych.progress import Step, no_progress

YAW_SWING = math.radians(35)
PITCH_SWING = math.radians(6)
NUM_FRAMES = 60
FRAMES_PER_SECOND = 30
_FRAMES_AT_ONCE = 4


@checked
def turntable_angles(
    num_frames: int = NUM_FRAMES,
    yaw_swing: float = YAW_SWING,
    pitch_swing: float = PITCH_SWING,
) -> tuple[Tensor, Tensor]:
    """Return yaw and pitch [n] of a camera that swings once from side to side and comes back.

    Args:
        num_frames: Angles, n.
        yaw_swing: Largest yaw in radians, to both sides.
        pitch_swing: Largest pitch in radians, up and down, twice per swing.
    """
    check_whole("number of frames", num_frames, 1, 10_000)
    check_range("yaw swing", yaw_swing, -math.pi, math.pi)
    check_range("pitch swing", pitch_swing, -math.pi / 2, math.pi / 2)
    phase = torch.arange(num_frames, dtype=torch.float64) * (2 * math.pi / num_frames)
    return yaw_swing * phase.sin(), pitch_swing * (2 * phase).sin()


@checked
def save_turntable(
    path: str | Path,
    portrait: Portrait,
    *,
    num_frames: int = NUM_FRAMES,
    size: int | None = None,
    step: Step | None = None,
) -> None:
    """Write a video (.mp4) of a camera that swings around a portrait on its own orbit.

    Args:
        path: File to be.
        portrait: The portrait.
        num_frames: Frames of the loop, 1 to 10,000, at 30 per second.
        size: Side in pixels; the portrait's `picture_size` by default.
        step: Called after each few frames with how many were added.
    """
    cameras = portrait.orbit(*turntable_angles(num_frames))
    size = portrait.picture_size if size is None else size
    save_video(path, _frames(portrait, cameras, size, step or no_progress))


@checked
def save_video(
    path: str | Path, frames: Iterable[np.ndarray], *, fps: int = FRAMES_PER_SECOND
) -> None:
    """Write pictures uint8 [h, w, 3] of one size as an H.264 video in BT.709, atomically.

    Sides that are odd grow by one pixel, because the format wants even ones.

    Raises:
        UserError: There are no frames, or ffmpeg is missing or failed; nothing is replaced.
    """
    with atomic_path(path) as temporary:
        encode_h264(temporary, map(_with_even_sides, frames), fps)


def _frames(portrait: Portrait, cameras: Camera, size: int, step: Step) -> Iterator[np.ndarray]:
    for start in range(0, len(cameras), _FRAMES_AT_ONCE):
        some = cameras[start : start + _FRAMES_AT_ONCE]
        for image in portrait.render(some, size=size).image:
            yield colour_picture(image)
        step(len(some))


def _with_even_sides(frame: np.ndarray) -> np.ndarray:
    check_pixels("frame of a video", frame)
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
