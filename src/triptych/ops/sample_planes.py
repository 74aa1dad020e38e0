"""Sampling of three feature planes at points in space."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

PlaneAxes = Literal["legacy", "corrected"]

# For each plane: which coordinate runs along the image width, which along the height.
AXES: dict[PlaneAxes, tuple[tuple[int, int], ...]] = {
    "legacy": ((0, 1), (0, 2), (2, 0)),
    "corrected": ((0, 1), (0, 2), (2, 1)),
}


def sample_planes(
    planes: Tensor, points: Tensor, *, box_size: float, axes: PlaneAxes = "legacy"
) -> Tensor:
    """Sample three planes bilinearly at the projections of points.

    Points outside the box of side `box_size` around the origin read zeros. Pixel centres lie half
    a pixel inside the box's faces (corners not aligned).

    Args:
        planes: Feature planes [b, 3, c, h, w].
        points: World points [b, n, 3].
        box_size: Side of the cube that the planes span.
        axes: "legacy" is what EG3D's released models were trained with: the planes sample (x, y),
            (x, z), (z, x), never (y, z); "corrected" samples (z, y) last.

    Returns:
        Features [b, 3, c, n].
    """
    batch, num_planes, channels, height, width = planes.shape
    scaled = points * (2 / box_size)
    grid = torch.stack([scaled[..., list(pair)] for pair in AXES[axes]], dim=1)
    sampled = F.grid_sample(
        planes.reshape(batch * num_planes, channels, height, width).contiguous(),
        grid.reshape(batch * num_planes, 1, -1, 2).to(planes.dtype),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return sampled.reshape(batch, num_planes, channels, -1)


def sample_plane_lattice(plane: Tensor, across: Tensor, down: Tensor, *, box_size: float) -> Tensor:
    """Sample one plane at all pairs of coordinates, as `sample_planes` does.

    Args:
        plane: Feature plane [c, h, w].
        across: World coordinates along the image width [n].
        down: World coordinates along the image height [m].
        box_size: Side of the cube that the plane spans.

    Returns:
        Features [m, n, c].
    """
    row, column = torch.meshgrid(down, across, indexing="ij")
    grid = torch.stack([column, row], dim=-1)[None] * (2 / box_size)
    sampled = F.grid_sample(plane[None], grid.to(plane.dtype), align_corners=False)
    return sampled[0].permute(1, 2, 0)
