"""Photo alignment: find the face, measure how it is turned, crop it as a model expects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from triptych.arguments import checked
from triptych.errors import MissingDependency, UserError, check_whole
from triptych.framing import AVATAR_FRAMING, FaceFraming
from triptych.ops.placement import move
from triptych.photos.aligned_photo import AlignedPhoto, frame_face
from triptych.photos.detectors.face import Face, FaceFinder, Pixels
from triptych.photos.photo import Photo, as_photo, is_on_plain_background

Detector = Literal["auto", "mediapipe", "avatar"]
DETECTORS: tuple[str, ...] = get_args(Detector)

SMALLEST_CROP, LARGEST_CROP = 16, 4096  # pixels
_INSTALL = "pip install 'triptych[photo]'"


class UnusableFace(UserError):
    """A picture without a face that can be used.

    Args:
        reason: Why, in a few words that reports count by.
        message: Why, in one line.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class AlignmentLimits:
    """Which faces are refused, and which get a note.

    Attributes:
        smallest_face: Width in pixels below which a face is refused.
        small_face: Width below which its crop is called soft.
        largest_yaw: Turn from the front, radians, beyond which a face is refused.
        large_yaw: Turn beyond which the camera is called uncertain.
        largest_pitch: As largest_yaw, up and down.
        most_outside: Share of the landmarks that may lie outside the picture.
        least_second_score: Score that the avatar network needs where mediapipe has found nothing
            before; at this one it takes 3 % of pictures of other things for a face.
    """

    smallest_face: float = 32.0
    small_face: float = 100.0
    largest_yaw: float = math.radians(60)
    large_yaw: float = math.radians(40)
    largest_pitch: float = math.radians(45)
    most_outside: float = 0.2
    least_second_score: float = 0.5


class PhotoAligner:
    """Aligns pictures of faces; its networks are loaded when first needed and kept.

    Photographs are searched by mediapipe where it is installed. Pictures over the avatars' plain
    background, and pictures in which mediapipe finds nothing, are searched by the avatar network.

    Args:
        framing: What the model expects that the crops are for.
        detector: "auto", or one detector alone.
        size: Side of the crops in pixels.
        limits: Which faces are refused.
        finders: How each detector is made, by name; the standard ones by default.

    Raises:
        UserError: The detector is unknown.
        MissingDependency: mediapipe is asked for and not installed (when first used).
    """

    @checked
    def __init__(
        self,
        framing: FaceFraming = AVATAR_FRAMING,
        *,
        detector: Detector = "auto",
        size: int = 512,
        limits: AlignmentLimits | None = None,
        finders: dict[str, Callable[[], FaceFinder]] | None = None,
    ) -> None:
        check_whole("size", size, SMALLEST_CROP, LARGEST_CROP)
        self.framing, self.detector, self.size = framing, detector, size
        self.limits = limits or AlignmentLimits()
        self._makers = finders or {"mediapipe": _mediapipe, "avatar": _avatar_network}
        self._made: dict[str, FaceFinder | None] = {}
        self._device: torch.device | str = "cpu"

    @checked
    def to(self, device: torch.device | str) -> PhotoAligner:
        """Let the avatar network compute on a device, and return self; mediapipe has the CPU."""
        self._device = device
        for finder in self._made.values():
            move(finder, device)
        return self

    @checked
    def __call__(self, image: Any, *, face: int = 1) -> AlignedPhoto:
        """Align a picture.

        Args:
            image: Anything `as_photo` takes: a path, pixels, a Pillow image or a tensor.
            face: Which face: 1 is the largest.

        Raises:
            UnusableFace: No face in it can be used; one line says why.
            UserError: The picture cannot be read, or has not so many faces.
        """
        return self.align_one_of(as_photo(image), face=face)[0]

    def align_one_of(self, photo: Photo, *, face: int = 1) -> tuple[AlignedPhoto, list[Face]]:
        """Align one face of a photo, as a call does, and return all its faces too."""
        faces, notes = self.faces(photo)
        if not faces:
            raise UnusableFace("no face found", f"no face found in {photo.name}; {self._hint()}")
        if not 1 <= face <= len(faces):
            raise UserError(
                f"{photo.name} shows {_counted(len(faces))}; got face {face}; expected 1 to "
                f"{len(faces)}, 1 is the largest"
            )
        if len(faces) > 1 and face == 1:
            notes += (f"{len(faces)} faces: the largest is used; --face 2 takes the next",)
        chosen = faces[face - 1]
        notes += self._check(chosen, photo)
        aligned = frame_face(photo.pixels, chosen, self.framing, self.size, notes)
        return aligned, faces

    def faces(self, photo: Photo) -> tuple[list[Face], tuple[str, ...]]:
        """Return the faces in a photo, the largest first, and notes about the search."""
        notes, least_score = photo.notes, 0.0
        for name in self._order(photo.pixels):
            finder = self._finder(name)
            if finder is None:
                notes += (
                    "mediapipe is not installed: only the avatar network searched, which knows "
                    f"centred heads; {_INSTALL} adds a detector for photographs",
                )
                continue
            faces = [face for face in finder.find(photo.pixels) if face.score >= least_score]
            if faces:
                return faces, notes
            least_score = self.limits.least_second_score if name == "mediapipe" else 0.0
        return [], notes

    def _order(self, pixels: Pixels) -> tuple[str, ...]:
        if self.detector != "auto":
            return (self.detector,)
        plain = is_on_plain_background(pixels)
        return ("avatar", "mediapipe") if plain else ("mediapipe", "avatar")

    def _finder(self, name: str) -> FaceFinder | None:
        """Make a detector once; None if it is not installed and another one may do."""
        if name not in self._made:
            try:
                self._made[name] = self._makers[name]()
                move(self._made[name], self._device)
            except MissingDependency:
                if self.detector != "auto":
                    raise
                self._made[name] = None
        return self._made[name]

    def _hint(self) -> str:
        hint = "expected one that is about upright, in view and not seen from the side"
        missing = "mediapipe" in self._made and self._made["mediapipe"] is None
        return f"{hint}; {_INSTALL} adds a detector for photographs" if missing else hint

    def _check(self, face: Face, photo: Photo) -> tuple[str, ...]:
        """Return notes about a face.

        Raises:
            UnusableFace: It cannot be used.
        """
        limits = self.limits
        if face.width < limits.smallest_face:
            raise UnusableFace(
                "face too small",
                f"the face in {photo.name} is {face.width:.0f} pixels wide; expected at least "
                f"{limits.smallest_face:.0f}; use a larger picture",
            )
        for name, angle, largest in (
            ("to the side", face.yaw, limits.largest_yaw),
            ("up or down", face.pitch, limits.largest_pitch),
        ):
            if abs(angle) > largest:
                raise UnusableFace(
                    f"turned {name}",
                    f"the face in {photo.name} is turned {abs(math.degrees(angle)):.0f} degrees "
                    f"{name}; expected at most {math.degrees(largest):.0f}",
                )
        outside = _share_outside(face, photo.pixels)
        if outside > limits.most_outside:
            raise UnusableFace(
                "face cut off by the edge",
                f"the face in {photo.name} is cut off by the edge of the picture: {outside:.0%} "
                f"of it is missing; expected at most {limits.most_outside:.0%}",
            )
        notes = []
        if face.width < limits.small_face:
            notes.append(f"the face is {face.width:.0f} pixels wide: the crop will be soft")
        if abs(face.yaw) > limits.large_yaw:
            notes.append(
                f"turned {abs(math.degrees(face.yaw)):.0f} degrees to the side: "
                "the camera is less certain"
            )
        return tuple(notes)


def _share_outside(face: Face, pixels: Pixels) -> float:
    x, y = face.landmarks.T
    inside = (x >= 0) & (x < pixels.shape[1]) & (y >= 0) & (y < pixels.shape[0])
    return float(1.0 - inside.mean())


def _counted(faces: int) -> str:
    return "one face" if faces == 1 else f"{faces} faces"


def _mediapipe() -> FaceFinder:
    from triptych.photos.detectors.face_mesh import FaceMeshFinder

    return FaceMeshFinder()


def _avatar_network() -> FaceFinder:
    from triptych.photos.detectors.head_pose import HeadPoseFinder

    return HeadPoseFinder.from_pretrained()
