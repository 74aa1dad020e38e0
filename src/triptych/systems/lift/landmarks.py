"""Landmarks with depth of the one face in an aligned picture."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from triptych.ops.placement import move
from triptych.photos.aligner import Detector
from triptych.photos.detectors.face import Pixels
from triptych.photos.detectors.window import Window
from triptych.systems.lift.pinhole import FloatArray

if TYPE_CHECKING:
    from triptych.photos.detectors.face_mesh import FaceMeshFinder
    from triptych.photos.detectors.head_pose import HeadPoseFinder

_FACE_WINDOW = 0.6  # of an aligned crop, round its middle


class LandmarkFinder(Protocol):
    """Finds the same k landmarks in photos and in renders, so that each has its partner.

    Attributes:
        notes: What a person should know about likenesses made with it.
    """

    notes: tuple[str, ...]

    def __call__(self, pixels: Pixels) -> FloatArray | None:
        """Return landmarks [k, 3] in uint8 pixels [s, s, 3], or None where there is no face.

        They are x, y and depth, all in pixels; depth counts from any zero.
        """

    def to(self, device: torch.device | str) -> LandmarkFinder:
        """Let networks compute on a device, and return self."""


class FaceMeshLandmarks:
    """The 468 landmarks of mediapipe's face mesh, which is loaded when it is first needed."""

    notes: tuple[str, ...] = ()

    def __call__(self, pixels: Pixels) -> FloatArray | None:
        """Return landmarks [468, 3], or None; see `LandmarkFinder`.

        Raises:
            MissingDependency: mediapipe is not installed.
        """
        size = pixels.shape[0]
        window = Window(size / 2, size / 2, _FACE_WINDOW * size)
        return self._finder.landmarks_in_depth(pixels, window)

    def to(self, device: torch.device | str) -> FaceMeshLandmarks:
        """Return self: mediapipe has the CPU."""
        return self

    @cached_property
    def _finder(self) -> FaceMeshFinder:
        from triptych.photos.detectors.face_mesh import FaceMeshFinder

        return FaceMeshFinder()


class AvatarLandmarks:
    """The 32 landmarks of the embedded network that was trained on avatars, without depth."""

    notes: tuple[str, ...] = (
        "the landmarks are those of the avatar network: 32 without depth, so the face is softer; "
        "pip install 'triptych[photo]' adds 468 of mediapipe",
    )

    def __init__(self) -> None:
        self._device: torch.device | str = "cpu"

    def __call__(self, pixels: Pixels) -> FloatArray | None:
        """Return landmarks [32, 3], or None; see `LandmarkFinder`."""
        faces = self._finder.find(pixels)
        if not faces:
            return None
        return np.column_stack([faces[0].landmarks, np.zeros(len(faces[0].landmarks))])

    def to(self, device: torch.device | str) -> AvatarLandmarks:
        """Move the network to a device and return self."""
        self._device = device
        move(self.__dict__.get("_finder"), device)
        return self

    @cached_property
    def _finder(self) -> HeadPoseFinder:
        from triptych.photos.detectors.head_pose import HeadPoseFinder

        return HeadPoseFinder.from_pretrained().to(self._device)


def find_landmarks(detector: Detector) -> LandmarkFinder:
    """Return the finder that a detector's name asks for: mediapipe's where it is installed."""
    if detector == "avatar" or (detector == "auto" and find_spec("mediapipe") is None):
        return AvatarLandmarks()
    return FaceMeshLandmarks()
