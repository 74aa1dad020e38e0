"""One pinhole camera in NumPy: world points to pixels of a square picture and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from triptych.camera import Camera

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pinhole:
    """A camera of one view with the size of its picture; pixel centres lie at half integers.

    Attributes:
        rotation: World-to-camera rotation [3, 3]; its rows are right, down and forward.
        position: Camera centre in the world [3].
        focal: Focal length in pixels.
        size: Side of the picture in pixels.
    """

    rotation: FloatArray
    position: FloatArray
    focal: float
    size: int

    @classmethod
    def of(cls, camera: Camera, size: int) -> Pinhole:
        """Return the only view of a camera with a centred principal point."""
        pose = camera.cam2world[0].detach().cpu().double().numpy()
        focal = float(camera.intrinsics[0, 0, 0]) * size
        return cls(pose[:3, :3].T.copy(), pose[:3, 3].copy(), focal, size)

    def project(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return pixel positions [n, 2] and depths along the axis [n] of world points [n, 3]."""
        local = (points - self.position) @ self.rotation.T
        depth = local[:, 2]
        return local[:, :2] / depth[:, None] * self.focal + self.size / 2, depth

    def unproject(self, pixels: FloatArray, depth: FloatArray) -> FloatArray:
        """Return the world points [n, 3] seen at pixel positions [n, 2] at depths [n]."""
        across = (pixels - self.size / 2) / self.focal * depth[:, None]
        return np.column_stack([across, depth]) @ self.rotation + self.position

    def along_axis(self, distance: FloatArray) -> FloatArray:
        """Turn a picture of distances along unit rays [s, s] into depths along the axis."""
        across = (np.arange(self.size) + 0.5 - self.size / 2) / self.focal
        return distance / np.sqrt(across[None, :] ** 2 + across[:, None] ** 2 + 1)


def sampled(picture: NDArray[np.generic], pixels: FloatArray, order: int = 1) -> FloatArray:
    """Read a picture [h, w] or [h, w, c] at pixel positions [n, 2]; its edge goes on outside.

    Args:
        picture: Values at pixel centres, which lie at half integers.
        pixels: Positions, x then y.
        order: 0 takes the nearest pixel, 1 is bilinear.
    """
    height, width = picture.shape[:2]
    planes = np.atleast_3d(np.asarray(picture, np.float64))
    # torch reads bilinearly several times as fast as scipy
    places = torch.from_numpy(pixels * (2 / np.array([width, height])) - 1)
    read = functional.grid_sample(
        torch.from_numpy(planes).permute(2, 0, 1)[None],
        places[None, None],
        mode="bilinear" if order else "nearest",
        padding_mode="border",
        align_corners=False,
    )[0, :, 0]
    return read[0].numpy() if picture.ndim == 2 else read.T.numpy()


def smoothstep(values: FloatArray, low: float, high: float) -> FloatArray:
    """Rise smoothly from 0 at `low` to 1 at `high`; falls where `high` is the lower one."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
