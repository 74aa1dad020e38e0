"""Framing of photos of faces for a model: the crop and its camera.

A model is trained on heads of one size and position and on cameras of one kind; these numbers are
part of its configuration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from triptych.camera import FOCAL, RADIUS, TARGET
from triptych.config import check_fields
from triptych.errors import UserError

# Both numbers come from the same fit of EG3D's standard points to the mean avatar's five points;
# see `benchmarks/face_mesh_template.py`.
_TILT_TO_EG3D = math.radians(-2.5)
_EG3D_UNITS_PER_AVATAR_UNIT = 1.316


@dataclass(frozen=True)
class FaceFraming:
    """Crop and camera of a face.

    Attributes:
        crop: "five-point": EG3D's upright crop by five landmarks, which keeps the head's roll in
            the camera. "head": a crop turned with the head, laid so that `target` is its centre.
        camera: "measured": rotation and place as measured, brought to `radius` from the origin.
            "look-at": the camera of that yaw and pitch that looks at `target` without roll, the
            only kind the model was trained with.
        points: Standard face [5][3] in the units of `unit`: eye at the left of the picture, eye
            at its right, nose tip, mouth corner at its left and at its right.
        unit: World units per unit of the standard face.
        offset: Where the standard face's origin lies in the world.
        rescale: Pixels that one unit of the standard face measures after scaling the photo.
        crop_size: Side of the crop in those pixels.
        tilt: Turn about the x axis from an upright avatar head to an upright head of this world,
            radians; positive lowers the face.
        head_scale: World units of this world per world unit of the avatars, at the head.
        radius: Distance of cameras from the world origin.
        target: World point that cameras look at.
        focal: Focal length in image widths.
        fill: Value outside the photo, in [-1, 1].
    """

    crop: Literal["five-point", "head"] = "five-point"
    camera: Literal["measured", "look-at"] = "measured"
    points: tuple[tuple[float, float, float], ...] = (
        (-0.31148657, 0.29036078, 0.13377953),
        (0.30979887, 0.28972036, 0.13179526),
        (0.0032535, -0.04617932, 0.55244243),
        (-0.25216928, -0.38133916, 0.22405732),
        (0.24846619, -0.38128236, 0.22235769),
    )
    unit: float = 0.27
    offset: tuple[float, float, float] = (0.0, 0.006, 0.161)
    rescale: float = 300.0
    crop_size: int = 700
    tilt: float = _TILT_TO_EG3D
    head_scale: float = _EG3D_UNITS_PER_AVATAR_UNIT
    radius: float = RADIUS
    target: tuple[float, float, float] = TARGET
    focal: float = FOCAL
    fill: float = -1.0

    @property
    def upright(self) -> bool:
        """Whether crops are turned upright, so that cameras never roll."""
        return self.crop == "head"

    def __post_init__(self) -> None:
        check_fields(
            self,
            unit=(1e-3, 1e3),
            offset=(-1e3, 1e3),
            rescale=(1, 1e4),
            crop_size=(16, 4096),
            tilt=(-math.pi, math.pi),
            head_scale=(1e-3, 1e3),
            radius=(0.01, 1e3),
            target=(-1e3, 1e3),
            focal=(0.01, 1e3),
            fill=(-1, 1),
        )
        if len(self.points) != 5:
            raise UserError(f"framing: got {len(self.points)} standard points; expected 5")
        if self.camera == "look-at" and not self.upright:
            raise UserError(
                "framing: a five-point crop keeps the head's roll, which a look-at camera cannot "
                "show; use crop 'head' or camera 'measured'"
            )


EG3D_FRAMING = FaceFraming()
"""EG3D's own constants, for its released face models."""

AVATAR_FRAMING = FaceFraming(crop="head", camera="look-at", tilt=0.0, head_scale=1.0, fill=0.5)
"""Framing of the embedded models: the whole head with hair and shoulders."""
