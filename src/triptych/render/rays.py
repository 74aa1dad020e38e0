"""Rays: one per pixel, through the pixel centre."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.camera import Camera


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays in the world.

    Attributes:
        origins: Start points [b, r, 3].
        directions: Unit directions [b, r, 3]; depth along a ray is in world units.
    """

    origins: Tensor
    directions: Tensor

    def slice(self, part: slice) -> Rays:
        """Return some rays of every image."""
        return Rays(self.origins[:, part], self.directions[:, part])

    def to(self, device: torch.device | str) -> Rays:
        """Return the rays on another device."""
        return Rays(self.origins.to(device), self.directions.to(device))

    def points(self, depths: Tensor) -> Tensor:
        """Return the points at depths [b, r, s] as [b, r, s, 3]."""
        return self.origins[:, :, None] + depths[..., None] * self.directions[:, :, None]


def camera_rays(camera: Camera, size: int) -> Rays:
    """Return the rays of all pixels of square images, row by row.

    Args:
        camera: v cameras; skewed intrinsics are honoured.
        size: Image height and width in pixels.

    Returns:
        Rays [v, size * size, 3].
    """
    cam2world, intrinsics = camera.cam2world, camera.intrinsics
    index = torch.arange(size, dtype=cam2world.dtype, device=cam2world.device)
    centres = index * (1 / size) + 0.5 / size
    row, column = torch.meshgrid(centres, centres, indexing="ij")
    u, v = column.reshape(1, -1), row.reshape(1, -1)
    focal_x, focal_y = intrinsics[:, 0, 0, None], intrinsics[:, 1, 1, None]
    centre_x, centre_y = intrinsics[:, 0, 2, None], intrinsics[:, 1, 2, None]
    skew = intrinsics[:, 0, 1, None]
    x = (u - centre_x + centre_y * skew / focal_y - skew * v / focal_y) / focal_x
    y = ((v - centre_y) / focal_y).expand_as(x)
    in_camera = torch.stack([x, y, torch.ones_like(x), torch.ones_like(x)], dim=1)  # [v, 4, r]
    # Points minus position, not rotated directions: the rounding of this detour is EG3D's, and
    # planes are steep enough for it to be visible.
    in_world = (cam2world @ in_camera)[:, :3] - camera.positions[:, :, None]
    directions = _normalized(in_world)
    return Rays(camera.positions[:, None].expand_as(directions), directions)


def _normalized(vectors: Tensor) -> Tensor:
    """Return vectors [v, 3, r] as unit vectors [v, r, 3].

    With a zero beside them, the numbers of a vector lie together and fill a register: the same
    lengths to the last bit as from three numbers, ten times sooner.
    """
    padded = F.pad(vectors, (0, 0, 0, 1)).transpose(1, 2).contiguous()
    return F.normalize(padded, dim=2)[..., :3]
