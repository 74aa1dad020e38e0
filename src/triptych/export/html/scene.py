"""What a browser needs to render a tri-plane portrait: settings and packed arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError
from triptych.fields.base import NO_DENSITY
from triptych.ops.sample_planes import AXES
from triptych.portrait import TriPlanePortrait

# WebGL2 promises uniform blocks of 16 KB, half-float textures of 2048 x 2048 and 256 layers.
_BLOCK_BYTES, _TEXTURE_SIZE, _LAYERS = 2**14, 2048, 256
_LARGEST_HALF = 30_000.0


@dataclass(frozen=True, eq=False)
class TriPlaneScene:
    """A tri-plane portrait, laid out for WebGL2.

    A texel holds four channels; the layers of the texture array are the first plane's groups of
    four channels, then the second's, then the third's.

    Attributes:
        settings: JSON values: sizes, axes, cameras and compositing.
        planes: Texels [3 * groups, h, w, 4], float16.
        decoder: The decoder's numbers, float32, in the order of the shader's uniform block.
        occupied: Bits, lowest first, of the occupancy grid's cells, x fastest, then y, then z.
    """

    settings: dict[str, Any]
    planes: np.ndarray
    decoder: np.ndarray
    occupied: np.ndarray


def triplane_scene(portrait: TriPlanePortrait) -> TriPlaneScene:
    """Pack a portrait; what is not on the page is its super-resolution.

    Raises:
        UserError: Planes or decoder are larger than every browser takes.
    """
    planes = portrait.planes[0].detach().float().cpu()
    _, channels, height, width = planes.shape
    groups = -(-channels // 4)
    if max(height, width) > _TEXTURE_SIZE or 3 * groups > _LAYERS:
        raise UserError(
            f"the planes do not fit into a page: got {channels} channels of {width} x {height}; "
            f"expected at most {_LAYERS // 3 * 4} channels and {_TEXTURE_SIZE} x {_TEXTURE_SIZE}"
        )
    scale = max(1.0, float(planes.abs().max()) / _LARGEST_HALF)
    padded = F.pad(planes / scale, (0, 0, 0, 0, 0, 4 * groups - channels))
    texels = padded.reshape(3, groups, 4, height, width).permute(0, 1, 3, 4, 2)
    grid = portrait.occupancy
    return TriPlaneScene(
        settings=_settings(portrait, groups, grid.size),
        planes=texels.reshape(3 * groups, height, width, 4).half().numpy(),
        decoder=_decoder_block(portrait, groups, scale),
        occupied=np.packbits(grid.occupied.cpu().numpy(), bitorder="little"),
    )


def _settings(portrait: TriPlanePortrait, groups: int, grid_size: int) -> dict[str, Any]:
    config = portrait.config
    rendering, view = config.rendering, config.view
    automatic = rendering.ray_start == "auto"
    reach = config.box_size * 3**0.5 / 2
    height, width = portrait.planes.shape[-2:]
    return {
        "kind": "planes",
        "groups": groups,
        "hidden": _padded_hidden(portrait),
        "planeSize": [width, height],
        "axes": [list(pair) for pair in AXES[config.plane_axes]],
        "boxSize": config.box_size,
        "beyondBox": config.beyond_box,
        "gridSize": grid_size,
        "noDensity": NO_DENSITY,
        "densityGain": rendering.density_gain,
        "near": view.radius - reach if automatic else rendering.ray_start,
        "far": view.radius + reach if automatic else rendering.ray_end,
        "background": (rendering.background + 1) / 2,
        "radius": view.radius,
        "target": list(view.target),
        "focal": view.focal,
    }


def _padded_hidden(portrait: TriPlanePortrait) -> int:
    (weight, _), _ = portrait.decoder.effective_layers()
    return -(-len(weight) // 4) * 4


def _decoder_block(portrait: TriPlanePortrait, groups: int, scale: float) -> np.ndarray:
    """Return first weights, first biases, last weights and last biases; density, then colour."""
    (first, first_bias), (last, last_bias) = portrait.decoder.effective_layers()
    hidden = _padded_hidden(portrait)
    more = hidden - len(first)
    first = F.pad(first * scale, (0, 4 * groups - first.shape[1], 0, more))
    block = [first, F.pad(first_bias, (0, more)), F.pad(last[:4].T, (0, 0, 0, more)), last_bias[:4]]
    numbers = _joined(block)
    if numbers.nbytes > _BLOCK_BYTES:
        raise UserError(
            f"the decoder does not fit into a page: got {numbers.nbytes} bytes; expected at most "
            f"{_BLOCK_BYTES}, which is what every browser takes"
        )
    return numbers


def _joined(tensors: list[Tensor]) -> np.ndarray:
    return torch.cat([tensor.detach().float().cpu().flatten() for tensor in tensors]).numpy()
