"""Preview renders: whole pictures of heads without gradients, through an occupancy grid."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator
from triptych.render.rendering import Rendering

_GRID_SIZE = 48


@torch.no_grad()
def preview_render(generator: TriPlaneGenerator, ws: Tensor, camera: Camera) -> Rendering:
    """Return the pictures of one head's style codes [1, k, d] from v cameras, at full size."""
    planes = generator.planes(ws).float()
    grid = generator.occupancy(planes, size=_GRID_SIZE)
    return generator.render(planes, ws, camera, occupancy=grid)
