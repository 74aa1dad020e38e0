"""EG3D's face crop: where five landmarks say that a photo is resized and cut.

The constants are those of the preparation of EG3D's data sets (Deep3DFaceRecon's alignment to a
canvas of 1024 pixels, of which the inner 700 become the 512-pixel crop).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.errors import UserError
from triptych.framing import EG3D_FRAMING, FaceFraming

CANVAS = 1024
CROP = 512
STANDARD_POINTS = np.array(EG3D_FRAMING.points)
"""The standard face: eye at the image's left, eye at its right, nose tip, mouth corners (left,
right); x right, y up, z towards the viewer, in Deep3D's units (decimetres)."""


@dataclass(frozen=True)
class FacePlacement:
    """How the standard face lies in a photo.

    Attributes:
        centre: Image point of the standard face's origin: x right, y UP from the bottom row.
        scale: Pixels per unit of the standard face.
    """

    centre: tuple[float, float]
    scale: float


@dataclass(frozen=True)
class CropPlan:
    """What to do with the photo.

    Attributes:
        upsample: Factor on the photo's sides.
        width, height: Sides of the resized photo in pixels.
        left, top: Corner of the canvas in the resized photo; it may lie outside.
    """

    upsample: float
    width: int
    height: int
    left: int
    top: int


def place_face(
    points: np.ndarray, height: int, framing: FaceFraming = EG3D_FRAMING
) -> FacePlacement:
    """Fit the standard face to five landmarks by a scaled orthographic camera, in least squares.

    Args:
        points: Landmarks [5, 2] in pixels, x right and y down, in the order of `STANDARD_POINTS`.
        height: Height of the photo.
        framing: Whose standard face it is.

    Raises:
        UserError: There are not five points.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.shape != STANDARD_POINTS.shape[:1] + (2,):
        raise UserError(f"landmarks: got an array of {points.shape}; expected five points [5, 2]")
    upward = np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)
    design = np.concatenate([np.array(framing.points), np.ones((5, 1))], axis=1)
    # Rows of a scaled rotation and the offsets, for x and for y.
    solution, *_ = np.linalg.lstsq(design, upward, rcond=None)
    rows, offset = solution[:3], solution[3]
    scale = float(np.linalg.norm(rows, axis=0).mean())
    return FacePlacement((float(offset[0]), float(offset[1])), scale)


def plan_crop(
    points: np.ndarray, width: int, height: int, framing: FaceFraming = EG3D_FRAMING
) -> CropPlan:
    """Say how a photo is resized and cut so that its face has the standard size and place.

    Roll is not removed; it belongs to the camera.

    Args:
        points: Landmarks; see `place_face`.
        width, height: Sides of the photo in pixels.
        framing: Standard face and size.
    """
    face = place_face(points, height, framing)
    upsample = framing.rescale / face.scale
    new_width, new_height = int(width * upsample), int(height * upsample)
    left = int(new_width / 2 - CANVAS / 2 + (face.centre[0] - width / 2) * upsample)
    top = int(new_height / 2 - CANVAS / 2 + (height / 2 - face.centre[1]) * upsample)
    return CropPlan(upsample, new_width, new_height, left, top)
