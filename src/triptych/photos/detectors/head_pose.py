"""Faces found by the head pose network, which was trained on avatars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.nn.head_pose_network import HeadPose, HeadPoseNetwork
from triptych.ops.colour import from_uint8
from triptych.ops.placement import device_of
from triptych.photos.detectors.face import FACE_UNITS, Face
from triptych.photos.detectors.rotations import about_z
from triptych.photos.detectors.window import Window, cut_window

Pixels = NDArray[np.uint8]

_SURE = 0.9  # presence from which the whole picture is measured at once
_PRESENT = 0.5
_SEARCH_SIDES = (0.7, 0.45, 0.3)  # of the longer side of the picture
_SEARCH_STEP = 0.4  # of the window's side
_MOST_CANDIDATES = 8
_SECOND_PASSES = 2
_LAST_SIDES = (0.94, 1.06)  # the last detection is a mean over these sizes and their mirror images
_LARGEST_CHANGE = 0.35  # of the size between the last two detections
# Where there is no face, answers wander as the window changes: in face widths, landmarks of the
# last detections lie 0.008 apart on avatars (at most 0.016), 0.024 at most on photographs of faces,
# and 0.075 on pictures of other things. The score falls from 1 to 0 over this distance.
_SPREAD_OF_SCORE_0 = 0.05
_LEAST_SCORE = 0.3
_LEAST_SEARCHED_SCORE = 0.5  # a search tries many places, each of which may resemble a face
_LARGEST_ROLL = 1.0  # radians; heads were turned by up to 0.7 in training
_APART = 0.6  # two faces nearer than this many face widths are one


@dataclass(frozen=True)
class _Detection:
    """The network's answer for one window."""

    window: Window
    landmarks: NDArray[np.float64]
    anchor: NDArray[np.float64]
    unit: float
    rotation: NDArray[np.float64]
    presence: float


class HeadPoseFinder:
    """Finds heads with a `HeadPoseNetwork`: a search finds them, later passes measure them."""

    name = "avatar network"

    def __init__(self, network: HeadPoseNetwork) -> None:
        self.network = network.requires_grad_(False).eval()

    @classmethod
    def from_pretrained(cls, name_or_path: str = "avatar-landmarks") -> HeadPoseFinder:
        """Use the embedded network or one in a file."""
        from triptych.weights import load_head_pose

        return cls(load_head_pose(name_or_path))

    def to(self, device: torch.device | str) -> HeadPoseFinder:
        """Move the network to a device and return self."""
        self.network.to(device)
        return self

    def find(self, pixels: Pixels) -> list[Face]:
        """Return the heads in uint8 pixels [h, w, 3], the largest first."""
        height, width = pixels.shape[:2]
        longer = max(height, width)
        whole = self._detect(pixels, [Window(width / 2, height / 2, longer)])
        if whole[0].presence > _SURE:
            face = self._measure(pixels, whole[0], _LEAST_SCORE)
            if face is not None:
                return [face]
        windows = [
            Window(x, y, share * longer)
            for share in _SEARCH_SIDES
            for x in _places(width, share * longer)
            for y in _places(height, share * longer)
        ]
        seen = [
            detection
            for detection in self._detect(pixels, windows)
            if detection.presence > _PRESENT
        ]
        faces: list[Face] = []
        for detection in sorted(seen, key=lambda detection: -detection.presence)[:_MOST_CANDIDATES]:
            face = self._measure(pixels, detection, _LEAST_SEARCHED_SCORE)
            if face is not None and all(_apart(face, other) for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda face: -face.unit)

    def _measure(self, pixels: Pixels, detection: _Detection, least_score: float) -> Face | None:
        """Detect again in ever better windows; None if there turns out to be no head."""
        before = detection
        for _ in range(_SECOND_PASSES):
            before, detection = (
                detection,
                self._detect(pixels, [self._window_of(detection, 1.0)])[0],
            )
            if detection.presence < _PRESENT:
                return None
        if abs(np.log(detection.unit / before.unit)) > _LARGEST_CHANGE:
            return None
        last = self._detect(
            pixels, [self._window_of(detection, s) for s in _LAST_SIDES], mirrored=True
        )
        face = self._mean_face(last)
        if face.score <= least_score or abs(face.roll) >= _LARGEST_ROLL:
            return None
        return face if face.score > self._score_upside_down(pixels, face) else None

    def _score_upside_down(self, pixels: Pixels, face: Face) -> float:
        """Return the score of a head seen the other way up in the place of one that was found."""
        window = face.window(self.network.config.window_units)
        windows = [
            replace(window, side=factor * window.side, roll=window.roll + math.pi)
            for factor in _LAST_SIDES
        ]
        return self._mean_face(self._detect(pixels, windows, mirrored=True)).score

    def _window_of(self, detection: _Detection, factor: float) -> Window:
        face = self._mean_face([detection])
        return face.window(factor * self.network.config.window_units)

    def _mean_face(self, detections: list[_Detection]) -> Face:
        landmarks = np.mean([detection.landmarks for detection in detections], axis=0)
        rotation = np.mean([detection.rotation for detection in detections], axis=0)
        left, _, right = np.linalg.svd(rotation)
        unit = float(np.exp(np.mean([np.log(detection.unit) for detection in detections])))
        apart = [
            np.linalg.norm(detection.landmarks - landmarks, axis=1).mean()
            for detection in detections
        ]
        agreement = 1.0 - float(np.mean(apart)) / (FACE_UNITS * unit) / _SPREAD_OF_SCORE_0
        return Face(
            landmarks=landmarks,
            five=five_points(landmarks, self.network.config.landmarks),
            anchor=np.mean([detection.anchor for detection in detections], axis=0),
            unit=unit,
            rotation=left @ right,
            detector=self.name,
            score=max(0.0, agreement)
            * float(np.mean([detection.presence for detection in detections])),
            pairs=np.array(self.network.config.mirrored),
            is_photograph=False,
        )

    @torch.no_grad()
    def _detect(
        self, pixels: Pixels, windows: list[Window], *, mirrored: bool = False
    ) -> list[_Detection]:
        """Ask the network about windows, and about their mirror images too if wished."""
        config = self.network.config
        cut = np.stack([cut_window(pixels, window, config.image_size, 191) for window in windows])
        image = from_uint8(torch.from_numpy(cut)).to(device_of(self.network))
        detections = _as_detections(self.network(image), windows)
        if mirrored:
            flipped = self.network(image.flip(3)).mirrored(config.mirrored)
            detections += _as_detections(flipped, windows)
        return detections


def five_points(landmarks: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """Reduce landmarks [..., k, d] of these names to photo alignment's five points [..., 5, d].

    In the order of the published aligners: eye at the left of the picture, eye at its right, nose
    tip, mouth corner at its left and at its right. An eye is the middle of its corners.
    """

    def point(name: str) -> NDArray[np.float64]:
        return landmarks[..., names.index(name), :]

    return np.stack(
        [
            (point("right eye inner") + point("right eye outer")) / 2,
            (point("left eye inner") + point("left eye outer")) / 2,
            point("nose tip"),
            point("right mouth corner"),
            point("left mouth corner"),
        ],
        axis=-2,
    )


def _as_detections(poses: HeadPose, windows: list[Window]) -> list[_Detection]:
    """Turn answers in units of windows into positions in the picture."""
    presence = poses.presence.sigmoid()
    return [
        _Detection(
            window=window,
            landmarks=window.to_picture(_array(poses.landmarks[index])),
            anchor=window.to_picture(_array(poses.anchor[index])),
            unit=float(poses.log_scale[index].exp()) * window.side,
            rotation=about_z(window.roll) @ _array(poses.rotation[index]),
            presence=float(presence[index]),
        )
        for index, window in enumerate(windows)
    ]


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.double().cpu().numpy()


def _places(length: int, side: float) -> list[float]:
    """Centres of windows along one side of the picture, evenly spread."""
    room = max(0.0, length - side)
    count = 1 + int(np.ceil(room / (_SEARCH_STEP * side)))
    return [float(v) for v in np.linspace(length / 2 - room / 2, length / 2 + room / 2, count)]


def _apart(first: Face, second: Face) -> bool:
    distance = float(np.linalg.norm(first.anchor - second.anchor))
    return distance > _APART * max(first.width, second.width)
