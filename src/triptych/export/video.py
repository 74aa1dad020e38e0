"""Videos: a camera that swings around a portrait."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import check_choice, check_range, check_whole
from triptych.export.animation import save_animation
from triptych.export.h264 import QUALITY, encode_h264
from triptych.export.pictures import colour_picture
from triptych.files import atomic_path
from triptych.ops.colour import check_pixels
from triptych.portrait import Portrait
from triptych.progress import Step, no_progress

YAW_SWING = math.radians(35)
PITCH_SWING = math.radians(6)
NUM_FRAMES = 60
FRAMES_PER_SECOND = 30
VIDEO_SIZE = 512
_MOST_UPSAMPLED = 4
_FRAMES_AT_ONCE = 4
_SWAY_YAW, _SWAY_PITCH = 0.35, 0.25  # of EG3D's gen_videos.py

Orbit = Literal["swing", "sway", "circle"]
ORBITS: tuple[str, ...] = get_args(Orbit)
VIDEO_SUFFIXES = (".mp4", ".gif", ".webp")


@checked
def orbit_angles(orbit: Orbit, num_frames: int = NUM_FRAMES) -> tuple[Tensor, Tensor]:
    """Return yaw and pitch [n] of a camera that comes back to where it began.

    Args:
        orbit: "swing" from side to side; "sway" to the sides and up and down by turns, as EG3D's
            videos; "circle" once around.
        num_frames: Angles, n.
    """
    check_choice("orbit", orbit, ORBITS)
    if orbit == "swing":
        return turntable_angles(num_frames)
    check_whole("number of frames", num_frames, 1, 10_000)
    phase = torch.arange(num_frames, dtype=torch.float64) * (2 * math.pi / num_frames)
    if orbit == "sway":
        return _SWAY_YAW * phase.sin(), _SWAY_PITCH * phase.cos()
    return phase, torch.zeros_like(phase)


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
    rays: int | None = None,
    step: Step | None = None,
    orbit: Orbit = "swing",
    quality: int = QUALITY,
    supersampling: int = 1,
) -> None:
    """Write a video (.mp4, .gif or .webp) of a camera that moves around a portrait.

    Args:
        path: File to be.
        portrait: The portrait.
        num_frames: Frames of the loop, 1 to 10,000, at 30 per second.
        size: Side in pixels. By default an .mp4 has `VIDEO_SIZE`, or up to four times `rays` where
            that is less, and an animation `rays`.
        rays: Side of the rendered frames, which are upsampled by Lanczos' filter where they are
            smaller than the video; `size` by default, or the portrait's `picture_size` where no
            size is given either: a fifth of the time of 512 rays along each side.
        step: Called after each few frames with how many were added.
        orbit: How the camera moves; see `orbit_angles`.
        quality: Of .mp4; see `save_video`.
        supersampling: Rays per pixel of the rendered frames; see `Portrait.render`.
    """
    cameras = portrait.orbit(*orbit_angles(orbit, num_frames))
    if rays is None:
        rays = portrait.picture_size if size is None else size
    if size is None:
        size = _default_size(Path(path), rays)
    frames = _frames(portrait, cameras, rays, step or no_progress, supersampling)
    save_video(path, (_resized(frame, size) for frame in frames), quality=quality)


@checked
def save_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: int = FRAMES_PER_SECOND,
    quality: int = QUALITY,
) -> None:
    """Write pictures uint8 [h, w, 3] of one size as an H.264 video in BT.709, atomically.

    Sides that are odd grow by one pixel, because the format wants even ones. Files that end in .gif
    or .webp are animations that run for ever.

    Args:
        path: File to be.
        frames: The pictures.
        fps: Frames per second.
        quality: x264's constant rate factor, 0 to 51: 18 is hard to tell from the original, more
            is smaller.

    Raises:
        UserError: There are no frames, or ffmpeg is missing or failed; nothing is replaced.
    """
    check_whole("video quality", quality, 0, 51)
    with atomic_path(path) as temporary:
        if Path(path).suffix.lower() in (".gif", ".webp"):
            save_animation(temporary, frames, fps)
        else:
            encode_h264(temporary, map(_with_even_sides, frames), fps, quality)


def _default_size(path: Path, rays: int) -> int:
    """Return the side of a video that is looked at, not a stamp; animations are large files."""
    if path.suffix.lower() in (".gif", ".webp"):
        return rays
    return max(rays, min(VIDEO_SIZE, _MOST_UPSAMPLED * rays))


def _resized(frame: np.ndarray, size: int) -> np.ndarray:
    if frame.shape[:2] == (size, size):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.LANCZOS))


def _frames(
    portrait: Portrait, cameras: Camera, size: int, step: Step, supersampling: int
) -> Iterator[np.ndarray]:
    for start in range(0, len(cameras), _FRAMES_AT_ONCE):
        some = cameras[start : start + _FRAMES_AT_ONCE]
        for image in portrait.render(some, size=size, supersampling=supersampling).image:
            yield colour_picture(image)
        step(len(some))


def _with_even_sides(frame: np.ndarray) -> np.ndarray:
    check_pixels("frame of a video", frame)
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
