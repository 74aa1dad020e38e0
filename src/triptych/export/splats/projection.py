"""From Gaussians in the world to Gaussians in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.export.splats.splats import Splats

LOW_PASS = 0.3
"""Square pixels added to each variance in a picture, as the published rasteriser does."""
_NEAREST = 0.01


@dataclass(frozen=True, eq=False)
class FlatSplats:
    """Splats as one camera sees them, the nearest first.

    Attributes:
        means: Centres in pixels [n, 2], x then y; 0.5, 0.5 is the centre of the first pixel.
        variances: Of x, of x with y, and of y, in square pixels [n, 3].
        opacities: At the centres [n].
        values: What is composited [n, c].
    """

    means: Tensor
    variances: Tensor
    opacities: Tensor
    values: Tensor


def flatten(splats: Splats, camera: Camera, size: int, *, low_pass: float = LOW_PASS) -> FlatSplats:
    """Project splats into a square picture; differentiable.

    The covariance is projected by the derivative of the perspective at the centre (EWA, Zwicker et
    al. 2001), and low-pass filtered. Splats behind the camera are left out. The values are colour
    and 1, so that the last channel of the picture is its opacity.

    Args:
        splats: The splats.
        camera: One camera.
        size: Side of the picture in pixels.
        low_pass: Square pixels added to each variance.
    """
    rotation = camera.cam2world[0, :3, :3]
    local = (splats.positions - camera.positions) @ rotation
    order = local[:, 2].detach().argsort(stable=True)
    order = order[local[order, 2].detach() > _NEAREST]
    x, y, z = local[order].unbind(1)
    (fx, _, cx), (_, fy, cy) = (camera.intrinsics[0] * size)[:2].tolist()
    zero = torch.zeros_like(z)
    across = torch.stack([fx / z, zero, -fx * x / z**2], 1)
    down = torch.stack([zero, fy / z, -fy * y / z**2], 1)
    jacobian = torch.stack([across, down], 1) @ rotation.T
    flat = jacobian @ splats.covariances()[order] @ jacobian.transpose(1, 2)
    values = torch.cat([splats.colours, torch.ones_like(splats.opacity_logits)[:, None]], 1)
    return FlatSplats(
        torch.stack([fx * x / z + cx, fy * y / z + cy], 1),
        torch.stack([flat[:, 0, 0] + low_pass, flat[:, 0, 1], flat[:, 1, 1] + low_pass], 1),
        splats.opacities[order],
        values[order],
    )


def conics(variances: Tensor) -> Tensor:
    """Return the inverse matrices of variances [n, 3], in the same form [n, 3]."""
    xx, xy, yy = variances.unbind(1)
    determinant = (xx * yy - xy * xy).clamp_min(1e-12)
    return torch.stack([yy, -xy, xx], 1) / determinant[:, None]
