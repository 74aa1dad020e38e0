"""What a browser needs to render Gaussian splats: settings and one packed array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.export.splats.splats import Splats
from triptych.portrait import Portrait

_ROW = 512  # splats in a row of the texture: 1024 texels
_MOST_ROWS = 2048
_UPPER = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)


@dataclass(frozen=True, eq=False)
class SplatScene:
    """Splats, laid out for WebGL2.

    Attributes:
        settings: JSON values: sizes, cameras and background.
        splats: uint32 [rows * 512, 8]: place as three floats; colour and opacity as four bytes;
            the upper triangle of the covariance as six halves, in units of `varianceUnit`; 0.
    """

    settings: dict[str, Any]
    splats: np.ndarray


def splat_scene(portrait: Portrait, splats: Splats) -> SplatScene:
    """Pack splats with the cameras of their portrait.

    Raises:
        UserError: There are more splats than every browser takes.
    """
    count = len(splats)
    rows = -(-count // _ROW)
    if not 0 < rows <= _MOST_ROWS:
        raise UserError(
            f"the splats do not fit into a page: got {count}; expected 1 to {_ROW * _MOST_ROWS}"
        )
    variances = splats.covariances()[:, _UPPER[0], _UPPER[1]]
    unit = float(variances.abs().max()) / 1000  # halves are fine from 6e-5 to 65504
    colours = torch.cat([splats.colours, splats.opacities[:, None]], 1)
    packed = np.zeros((rows * _ROW, 8), np.uint32)
    packed[:count, :3] = splats.positions.float().numpy().view(np.uint32)
    packed[:count, 3:4] = (colours * 255).round().to(torch.uint8).numpy().view(np.uint32)
    packed[:count, 4:7] = (variances / unit).half().numpy().view(np.uint32)
    front = portrait.orbit(0.0, 0.0)
    return SplatScene(
        settings={
            "kind": "splats",
            "count": count,
            "textureSize": [2 * _ROW, rows],
            "varianceUnit": unit,
            "background": (portrait.rendering.background + 1) / 2,
            "radius": float(front.positions[0].norm()),
            "target": orbit_centre(portrait.orbit(torch.tensor([-0.5, 0.0, 0.5]))).tolist(),
            "focal": float(front.intrinsics[0, 0, 0]),
        },
        splats=packed,
    )


def orbit_centre(cameras: Camera) -> Tensor:
    """Return the point [3] that lies nearest to the lines of sight of cameras."""
    forward, positions = cameras.forward.double().cpu(), cameras.positions.double().cpu()
    across = torch.eye(3, dtype=torch.float64) - forward[:, :, None] * forward[:, None]
    return torch.linalg.solve(across.sum(0), (across @ positions[:, :, None]).sum(0))[:, 0]
