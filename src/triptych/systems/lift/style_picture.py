"""A photo that another program has edited: the photo's shape gets the edit's colours."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import Tensor

from triptych.errors import UserError
from triptych.ops.colour import to_uint8
from triptych.systems.lift.landmarks import LandmarkFinder
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pinhole import FloatArray
from triptych.systems.lift.silhouette import Mask, person_of

_FARTHEST = 0.12  # mean distance of landmarks, in widths of the face
_LEAST_OVERLAP = 0.7  # intersection over union of the two people
_EXPECTED = "expected the same photo, edited: same crop, same pose"


def restyled(
    photo: Photograph, edited: Tensor, foreground: Tensor, finder: LandmarkFinder
) -> tuple[Photograph, tuple[str, ...]]:
    """Return a measured photo with the colours of its edit, and notes.

    Args:
        photo: The photo; shape, landmarks and outline stay its own.
        edited: The edit, aligned as the photo is [1, 3, s, s] in [-1, 1].
        foreground: How surely each pixel of the edit is the person's [1, 1, s, s].
        finder: Finds landmarks.

    Raises:
        UserError: The edit shows another size, face or person.
    """
    if edited.shape[-2:] != photo.colours.shape[:2]:
        raise UserError(
            f"style picture: got {edited.shape[-1]} x {edited.shape[-2]} pixels; the aligned photo "
            f"has {photo.size} x {photo.size}; {_EXPECTED}"
        )
    pixels = to_uint8(edited.detach().cpu())[0].numpy()
    overlap = _overlap(photo.person, person_of(foreground[0, 0].detach().cpu().double().numpy()))
    landmarks = finder(pixels)
    notes: tuple[str, ...] = ()
    if landmarks is not None:
        _check_face(photo.landmarks, landmarks)
    elif overlap < _LEAST_OVERLAP:
        raise UserError(
            "style picture: no face is found in it, and its person covers the photo's by "
            f"{overlap:.0%} only; {_EXPECTED}"
        )
    else:
        notes = ("no face is found in the style picture: its colours are laid on by their place",)
    return dataclasses.replace(photo, colours=pixels / 255.0), notes


def _check_face(expected: FloatArray, found: FloatArray) -> None:
    width = float(np.ptp(expected[:, 0]))
    distance = float(np.linalg.norm(found[:, :2] - expected[:, :2], axis=1).mean()) / width
    if distance > _FARTHEST:
        raise UserError(
            f"style picture: its face lies {distance:.0%} of a face's width beside the photo's; "
            f"at most {_FARTHEST:.0%} can be an edit; {_EXPECTED}"
        )


def _overlap(first: Mask, second: Mask) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))
