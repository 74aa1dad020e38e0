"""Cameras at random, one for a whole batch, as both published stages draw them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from triptych.camera import Camera, eg3d_look_at, focal_from_fov_deg
from triptych.models.eg3d_config import ViewConfig

_FOV_DEG = 18.837


@dataclass(frozen=True)
class CameraRange:
    """Largest offsets from the frontal camera, each drawn evenly.

    Attributes:
        yaw_deg: Degrees to both sides.
        pitch_deg: Degrees up and down, of EG3D's vertical number.
        centre: Of the principal point, in image widths.
        fov_deg: Of the diagonal field of view, in degrees.
    """

    yaw_deg: float = 49.0
    pitch_deg: float = 26.0
    centre: float = 0.1
    fov_deg: float = 2.4


def random_camera(reach: CameraRange, view: ViewConfig, rng: torch.Generator) -> Camera:
    """Return one camera within a range around the frontal one of a model."""
    yaw, pitch, x, y, fov = (2 * torch.rand(5, generator=rng) - 1).tolist()
    camera = eg3d_look_at(
        math.pi / 2 + math.radians(reach.yaw_deg) * yaw,
        math.pi / 2 + math.radians(reach.pitch_deg) * pitch,
        view.radius,
        view.target,
        focal_from_fov_deg(_FOV_DEG + reach.fov_deg * fov),
    )
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, :2, 2] += reach.centre * torch.tensor([x, y])
    return Camera(camera.cam2world, intrinsics)


def repeated(camera: Camera, num: int) -> Camera:
    """Return one camera for each of so many portraits."""
    return camera[torch.zeros(num, dtype=torch.long, device=camera.cam2world.device)]
