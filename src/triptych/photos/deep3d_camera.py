"""From a face model's head pose to a camera in the world of EG3D's portraits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from triptych.camera import RADIUS, Camera, camera_at
from triptych.framing import EG3D_FRAMING

CameraMode = Literal["orig", "cor", "simplify"]

# EG3D's world: Deep3D's units (decimetres) times 0.27, then an offset.
UNITS_PER_DECIMETRE = EG3D_FRAMING.unit
OFFSET = EG3D_FRAMING.offset
FOCAL_OF_CROPS = 2985.29 / 700
_PIVOT = (0.0, 0.0, 0.175)
_DEEP3D_CAMERA_DISTANCE = 10.0


def camera_of_head_pose(
    angles: Sequence[float], translation: Sequence[float], *, mode: CameraMode = "orig"
) -> Camera:
    """Return the camera that sees EG3D's upright world as a photo shows the head.

    Args:
        angles: Deep3D's rotations of the head about x, y and z, radians.
        translation: Deep3D's translation of the head, decimetres.
        mode: How the distance is made standard. "orig": 2.7 from the origin, the rotation kept, as
            in EG3D's labels; "cor": 2.7 from the pivot (0, 0, 0.175); "simplify": there, and
            turned upright to look at the pivot.
    """
    camera = unnormalised_camera(angles, translation)
    rotation, position = camera[:3, :3], camera[:3, 3]
    if mode == "orig":
        position = RADIUS * position / position.norm()
    else:
        pivot = position.new_tensor(_PIVOT)
        position = pivot + RADIUS * (position - pivot) / (position - pivot).norm()
    if mode == "simplify":
        return camera_at(position[None], _PIVOT, FOCAL_OF_CROPS)
    cam2world = torch.eye(4, dtype=torch.float64)
    cam2world[:3, :3], cam2world[:3, 3] = rotation, position
    focal = FOCAL_OF_CROPS
    intrinsics = torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    return Camera(cam2world.float()[None], intrinsics[None])


def unnormalised_camera(angles: Sequence[float], translation: Sequence[float]) -> Tensor:
    """Return the camera-to-world matrix [4, 4] (float64) before its distance is made standard."""
    rotation = _head_rotation(angles)
    shift = torch.tensor(list(translation), dtype=torch.float64)
    shift[2] -= _DEEP3D_CAMERA_DISTANCE
    offset = torch.tensor(OFFSET, dtype=torch.float64)
    cam2world = torch.eye(4, dtype=torch.float64)
    # Deep3D's camera has y up and looks along -z; ours has y down and looks along z.
    cam2world[:3, :3] = rotation * torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    cam2world[:3, 3] = -UNITS_PER_DECIMETRE * (rotation @ shift) + offset
    return cam2world


def _head_rotation(angles: Sequence[float]) -> Tensor:
    """Return the transpose of Rz Ry Rx [3, 3]."""
    return torch.from_numpy(Rotation.from_euler("xyz", angles).as_matrix()).T
