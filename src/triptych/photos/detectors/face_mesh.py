"""Faces found by mediapipe, measured with a template of where its landmarks lie on a head.

mediapipe comes with the extra "photo"; version 0.10.21 carries its networks inside its wheel and
needs no download. Its landmarks are 468 points of a face mesh. Where each lies on a head was
measured on avatars seen by known cameras (`benchmarks/face_mesh_template.py`), so whatever bias
these landmarks have towards looking up or down is in the template and drops out of the pose.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.photos.detectors.face import Face, FloatArray, Pixels
from triptych.photos.detectors.head_fit import fit_head
from triptych.photos.detectors.mediapipe_networks import mediapipe_solutions, run, without_chatter
from triptych.photos.detectors.window import Window, cut_window
from triptych.weights.registry import EMBEDDED_FOLDER
from triptych.weights.safetensors_file import load_tensors

TEMPLATE_FILE = EMBEDDED_FOLDER / "face-mesh-template.safetensors"
NUM_LANDMARKS = 468

# Mesh points of the five points: corners of each eye, nose tip, mouth corners.
_EYE_LEFT, _EYE_RIGHT, _NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = (33, 133), (362, 263), 4, 61, 291

# The aligners of EG3D and 3DpSp mark their five points higher up and a little farther apart than
# the face mesh: without this, crops of FFHQ pictures already in EG3D's crop came out 8 pixels too
# low and 2 % too large (4 pictures here; 5 others with their mirror images showed the same).
_FIVE_LIFT = 0.0078  # world units along the head's up
_FIVE_SPREAD = 1.02

_DETECTION_SIDE = 384  # pixels of a window in which boxes are searched; networks see 192 or 128
_TILE_SHARES = (0.5, 0.28)  # of the longer side: smaller faces need a nearer look
_FINER = 0.56  # of the side of the tiles before, in large pictures
_FINEST_TILE = 350.0  # pixels: a face of 32, the smallest that is used, is found in it
_TILE_OVERLAP = 0.3
_LEAST_SCORE = 0.5
_LEAST_MESH_SCORE = 0.3  # the box is known to hold a face
_MESH_SIDE = 320
_BOX_TO_WINDOW = 2.2
_SAME_FACE = 0.35  # overlap of two boxes over their union

# Detector and mesh find upright faces where there are faces upside down; what they find depends on
# what they expect. Both see an upright face better, so each turn is held against its opposite.
_TURNS = (0.0, math.pi, math.pi / 2, -math.pi / 2)  # of the picture, in which faces are looked for
_LARGEST_TURN = math.radians(40)  # of a face in its window; beyond, it is measured again
# Faces have evidence of 2.5 to 3.7 of 4, the best of other things found in turned pictures 1.3.
_LEAST_EVIDENCE_ASLANT = 2.0
_WIDTH_TO_WINDOW = 2.5  # of a window in which an upright face is compared with its opposite


@dataclass(frozen=True, eq=False)
class FaceMeshTemplate:
    """Where the landmarks of the face mesh lie on the mean avatar.

    Attributes:
        places: [468, 3] in the avatars' world.
        mirrored: Which landmark each becomes in a mirrored picture [468].
    """

    places: FloatArray
    mirrored: NDArray[np.int64]


@cache
def load_template(path: str | Path = TEMPLATE_FILE) -> FaceMeshTemplate:
    """Read the embedded template or one in a file."""
    tensors, _ = load_tensors(path, "FaceMeshTemplate")
    return FaceMeshTemplate(tensors["places"].double().numpy(), tensors["mirrored"].numpy())


def five_points_of_mesh(landmarks: FloatArray) -> FloatArray:
    """Reduce landmarks [468, d] of the face mesh to photo alignment's five points [5, d]."""
    return np.stack(
        [
            landmarks[list(_EYE_LEFT)].mean(axis=0),
            landmarks[list(_EYE_RIGHT)].mean(axis=0),
            landmarks[_NOSE],
            landmarks[_MOUTH_LEFT],
            landmarks[_MOUTH_RIGHT],
        ]
    )


@dataclass(frozen=True)
class _Box:
    """A detected face: centre and size in pixels, score."""

    x: float
    y: float
    size: float
    score: float


class FaceMeshFinder:
    """Finds faces with mediapipe; both its networks are loaded once and kept.

    Args:
        template: Where the landmarks lie on a head; the embedded one by default.
        mirrored_detection: Detect each face in its mirror image too and take the mean.

    Raises:
        MissingDependency: mediapipe is not installed.
    """

    name = "mediapipe"

    def __init__(
        self, template: FaceMeshTemplate | None = None, *, mirrored_detection: bool = True
    ) -> None:
        with without_chatter():
            solutions = mediapipe_solutions()
            self._detectors = [
                solutions.face_detection.FaceDetection(
                    model_selection=selection, min_detection_confidence=_LEAST_SCORE
                )
                for selection in (1, 0)  # full range first, then near faces
            ]
            self._mesh = solutions.face_mesh.FaceMesh(
                static_image_mode=True,
                max_num_faces=1,
                min_detection_confidence=_LEAST_MESH_SCORE,
            )
            for network in (*self._detectors, self._mesh):  # the first run builds it
                network.process(np.zeros((_MESH_SIDE, _MESH_SIDE, 3), np.uint8))
        self.template = load_template() if template is None else template
        self.mirrored_detection = mirrored_detection
        self._found_one = False

    def find(self, pixels: Pixels) -> list[Face]:
        """Return the faces in uint8 pixels [h, w, 3], the largest first.

        The picture may be turned by any angle; faces are returned as they are turned in it.
        """
        for turn in _TURNS:
            boxes = self._boxes(pixels) if turn == 0 else self._boxes_in_turned(pixels, turn)
            faces = [face for box in boxes if (face := self._face(pixels, box, turn)) is not None]
            if faces:
                return sorted(faces, key=lambda face: -face.unit)
        return []

    def landmarks(self, pixels: Pixels, window: Window) -> FloatArray | None:
        """Return the mesh landmarks [468, 2], in pixels, of the face in a window, or None."""
        found = self.landmarks_in_depth(pixels, window)
        return None if found is None else found[:, :2]

    def landmarks_in_depth(self, pixels: Pixels, window: Window) -> FloatArray | None:
        """Return the mesh landmarks [468, 3] of the face in a window, or None.

        The third number is how far behind the middle of the head each landmark is, in pixels of the
        picture; mediapipe guesses it from what faces are like.
        """
        cut = cut_window(pixels, window, _MESH_SIDE, 128)
        seen = self._mesh_of(cut)
        if seen is None:
            return None
        if self.mirrored_detection and (other := self._mesh_of(cut[:, ::-1])) is not None:
            seen = (seen + other[self.template.mirrored] * [-1.0, 1.0, 1.0]) / 2
        return np.c_[window.to_picture(seen[:, :2]), seen[:, 2] * window.side]

    def _face(self, pixels: Pixels, box: _Box, found_at: float) -> Face | None:
        """Return the face in a box that was found in the picture turned by an angle."""
        for turn in _TURNS:
            window = Window(box.x, box.y, _BOX_TO_WINDOW * box.size, found_at + turn)
            face = self._measured(pixels, window, box.score)
            if face is not None and abs(_angle(face.roll - window.roll)) > _LARGEST_TURN:
                face = self._measured(pixels, replace(window, roll=face.roll), box.score)
            if face is not None and self._is_upright(pixels, face):
                return face
        return None

    def _is_upright(self, pixels: Pixels, face: Face) -> bool:
        """Say whether a face is seen better as it is turned than the other way up."""
        x, y = face.landmarks.mean(axis=0)
        side = _WIDTH_TO_WINDOW * face.width
        upright, opposite = (
            self._evidence(pixels, Window(float(x), float(y), side, face.roll + turn))
            for turn in (0.0, math.pi)
        )
        aslant = abs(face.roll) > _LARGEST_TURN
        return upright >= max(opposite, _LEAST_EVIDENCE_ASLANT if aslant else 0.0)

    def _evidence(self, pixels: Pixels, window: Window) -> float:
        """Return the sum of the scores of all detectors for a window and its mirror image."""
        cut = cut_window(pixels, window, _MESH_SIDE, 128)
        answers = (run(d, side).detections for d in self._detectors for side in (cut, cut[:, ::-1]))
        return sum(
            max((float(seen.score[0]) for seen in found or ()), default=0.0) for found in answers
        )

    def _measured(self, pixels: Pixels, window: Window, score: float) -> Face | None:
        landmarks = self.landmarks(pixels, window)
        if landmarks is None:
            return None
        fit = fit_head(self.template.places, landmarks)
        five = five_points_of_mesh(landmarks)
        five = five.mean(axis=0) + _FIVE_SPREAD * (five - five.mean(axis=0))
        return Face(
            landmarks=landmarks,
            five=five + _FIVE_LIFT * fit.unit * fit.rotation[:2, 1],
            anchor=fit.anchor,
            unit=fit.unit,
            rotation=fit.rotation,
            detector=self.name,
            score=score,
            pairs=self.template.mirrored,
            is_photograph=True,
        )

    def _mesh_of(self, cut: Pixels) -> FloatArray | None:
        """Return landmarks [468, 3] in window widths from the centre of the window."""
        with nullcontext() if self._found_one else without_chatter():  # it warns at the first face
            found = run(self._mesh, cut).multi_face_landmarks
        if not found:
            return None
        self._found_one = True
        return np.array([[point.x - 0.5, point.y - 0.5, point.z] for point in found[0].landmark])

    def _boxes(self, pixels: Pixels) -> list[_Box]:
        """Search the whole picture; if that finds nothing, search parts of it."""
        height, width = pixels.shape[:2]
        longer = max(height, width)
        boxes = self._boxes_in(pixels, Window(width / 2, height / 2, longer), self._detectors)
        for side in _tile_sides(longer):
            if boxes:
                break
            for x in _tile_centres(width, side):
                for y in _tile_centres(height, side):
                    boxes += self._boxes_in(pixels, Window(x, y, side), self._detectors[:1])
        return _distinct(boxes)

    def _boxes_in_turned(self, pixels: Pixels, turn: float) -> list[_Box]:
        """Search the whole picture, turned by an angle."""
        height, width = pixels.shape[:2]
        window = Window(width / 2, height / 2, max(height, width), turn)
        return _distinct(self._boxes_in(pixels, window, self._detectors))

    def _boxes_in(self, pixels: Pixels, window: Window, detectors: list[Any]) -> list[_Box]:
        side = min(_DETECTION_SIDE, max(192, round(window.side)))
        cut = cut_window(pixels, window, side, 128)
        for detector in detectors:
            found = run(detector, cut).detections
            if found:
                return [_as_box(detection, window) for detection in found]
        return []


def _as_box(detection: Any, window: Window) -> _Box:
    box = detection.location_data.relative_bounding_box
    middle = np.array([box.xmin + box.width / 2 - 0.5, box.ymin + box.height / 2 - 0.5])
    x, y = window.to_picture(middle)
    size = max(box.width, box.height) * window.side
    return _Box(float(x), float(y), float(size), float(detection.score[0]))


def _tile_sides(longer: int) -> list[float]:
    """Sides of the tiles of a picture, from large ones to those in which small faces are found."""
    sides = [share * longer for share in _TILE_SHARES]
    while sides[-1] > _FINEST_TILE:
        sides.append(max(_FINEST_TILE, _FINER * sides[-1]))
    return sides


def _angle(turn: float) -> float:
    """Return the same turn between -pi and pi."""
    return math.remainder(turn, 2 * math.pi)


def _tile_centres(length: int, side: float) -> list[float]:
    room = max(0.0, length - side)
    count = 1 + int(np.ceil(room / ((1 - _TILE_OVERLAP) * side)))
    return [float(v) for v in np.linspace(length / 2 - room / 2, length / 2 + room / 2, count)]


def _distinct(boxes: list[_Box]) -> list[_Box]:
    kept: list[_Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(_overlap(box, other) < _SAME_FACE for other in kept):
            kept.append(box)
    return kept


def _overlap(first: _Box, second: _Box) -> float:
    """Intersection over union of two square boxes."""
    reach = (first.size + second.size) / 2
    shared = 1.0
    for distance in (abs(first.x - second.x), abs(first.y - second.y)):
        shared *= float(np.clip(reach - distance, 0.0, min(first.size, second.size)))
    return shared / (first.size**2 + second.size**2 - shared)
