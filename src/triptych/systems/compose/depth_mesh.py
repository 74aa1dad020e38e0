"""The published meshes: a grid over the pixels of a depth map, and marching cubes of a frustum.

The frustum is resampled to a box with constants that the published code hard-codes. The true
surface of a portrait is `export.mesh`; these are for comparison with the release.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from triptych.errors import UserError

NEAR, FAR = 0.88, 1.12
_SIDE = 0.24
_OUTSIDE = 1.0

Mesh = tuple[NDArray[np.float32], NDArray[np.int64]]


def frustum_in_box(sdf: Tensor, near: float = NEAR, far: float = FAR) -> Tensor:
    """Resample distances of a frustum's rays to a box.

    Args:
        sdf: Distances [1, h, w, s, 1] at samples s of rays h, w.
        near: Depth of the first plane.
        far: Depth of the last plane.

    Returns:
        Distances of the same shape; 1 outside of the frustum.
    """
    _, height, width, depth, _ = sdf.shape
    rows, columns, planes = (
        torch.linspace(-1, 1, size, dtype=sdf.dtype, device=sdf.device)
        for size in (height, width, depth)
    )
    y, x, z = torch.meshgrid(rows, columns, planes, indexing="ij")
    widening = torch.linspace(far / near, 1, depth, dtype=sdf.dtype, device=sdf.device)
    grid = torch.stack([x * widening, y * widening, z], dim=-1)
    volume = sdf.permute(0, 4, 3, 1, 2)  # [1, 1, s, h, w]
    aligned = F.grid_sample(volume, grid[None], padding_mode="border", align_corners=True)
    outside = (grid.abs() > 1).any(dim=-1)[None, None]
    return aligned.masked_fill(outside, _OUTSIDE).permute(0, 2, 3, 4, 1)


def frustum_mesh(aligned: Tensor) -> Mesh:
    """Return vertices [n, 3] and triangles [m, 3] where the distances of a box are 0.

    Args:
        aligned: From `frustum_in_box`.

    Raises:
        UserError: All distances have one sign: there is no surface.
    """
    from skimage.measure import marching_cubes

    volume = aligned[0, ..., 0].transpose(0, 1).cpu().numpy()  # x, y, z
    check_two_signed(float(volume.min()), float(volume.max()))
    vertices, triangles, _, _ = marching_cubes(volume, 0.0)
    vertices = (vertices / np.asarray(volume.shape) - 0.5) * _SIDE
    return vertices * np.array([1, -1, -1]), triangles.astype(np.int64)


def depth_grid_mesh(points: Tensor) -> Mesh:
    """Return the mesh of a map of points: two triangles for each square of four pixels.

    Args:
        points: Where each pixel's ray meets the surface [3, h, w], in the world.
    """
    _, height, width = points.shape
    index = np.arange(height * width).reshape(height, width)
    corners = [index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]]
    first, below, right, across = (corner.ravel() for corner in corners)
    triangles = np.concatenate(
        [np.stack([first, below, right], axis=1), np.stack([right, below, across], axis=1)]
    )
    return points.flatten(1).T.cpu().numpy(), triangles


def check_two_signed(lowest: float, highest: float) -> None:
    """Raise UserError unless distances reach from inside to outside."""
    if not lowest < 0 < highest:
        side = "outside" if lowest >= 0 else "inside"
        raise UserError(
            f"the signed distance has one sign (from {lowest:.3g} to {highest:.3g}: all of it is "
            f"{side} the surface), so there is no mesh; the model was trained too little, or on "
            "batches too small"
        )
