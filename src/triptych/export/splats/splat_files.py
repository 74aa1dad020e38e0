"""Files of splats: .ply as the published trainer writes, .glb with KHR_gaussian_splatting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from triptych.arguments import checked
from triptych.errors import UserError
from triptych.export.glb_container import GlbPart, buffers, write_glb
from triptych.export.splats.splats import Splats
from triptych.files import atomic_write

SPLAT_SUFFIXES = (".ply", ".glb")
PLY_NAMES = (
    *("x", "y", "z", "nx", "ny", "nz"),
    *("f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)
_EXTENSION = "KHR_gaussian_splatting"
_POINTS = 0


@checked
def save_splats(path: str | Path, splats: Splats) -> None:
    """Write splats, y up, the face along +z, atomically.

    .ply has the attributes of the published trainer (Kerbl et al. 2023): logits of opacities,
    logarithms of scales, quaternions with w first, normals of zero, no harmonics above degree 0.
    .glb has the ratified extension KHR_gaussian_splatting: opacities in [0, 1], scales as they are,
    quaternions with w last, colours in sRGB.

    Args:
        path: File to be, .ply or .glb.
        splats: The splats.

    Raises:
        UserError: The ending is another one, there are no splats, their numbers are not finite, or
            the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SPLAT_SUFFIXES:
        raise UserError(f"splat file {path}: got '{suffix}'; expected .ply or .glb")
    table = torch.cat(
        [
            splats.positions,
            torch.zeros_like(splats.positions),
            splats.coefficients,
            splats.opacity_logits[:, None],
            splats.log_scales,
            splats.unit_rotations,
        ],
        dim=1,
    )
    if len(table) == 0 or not bool(table.isfinite().all()):
        raise UserError(f"splat file {path}: expected at least one splat and finite numbers")
    if suffix == ".ply":
        _save_ply(path, table.detach().cpu().numpy())
    else:
        _save_glb(path, splats)


def _save_ply(path: str | Path, table: np.ndarray) -> None:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    lines += [f"property float {name}" for name in PLY_NAMES]
    with atomic_write(path) as stream:
        stream.write(("\n".join([*lines, "end_header"]) + "\n").encode())
        stream.write(table.astype("<f4").tobytes())


def _save_glb(path: str | Path, splats: Splats) -> None:
    def part(values: torch.Tensor, kind: str) -> GlbPart:
        array = values.detach().cpu().numpy().astype("<f4")
        return GlbPart(array, kind, bounded=values is splats.positions)

    attributes = {
        "POSITION": part(splats.positions, "VEC3"),
        f"{_EXTENSION}:ROTATION": part(splats.unit_rotations[:, [1, 2, 3, 0]], "VEC4"),
        f"{_EXTENSION}:SCALE": part(splats.log_scales.exp(), "VEC3"),
        f"{_EXTENSION}:OPACITY": part(splats.opacities, "SCALAR"),
        f"{_EXTENSION}:SH_DEGREE_0_COEF_0": part(splats.coefficients, "VEC3"),
    }
    primitive = {
        "mode": _POINTS,
        "attributes": {name: place for place, name in enumerate(attributes)},
        "extensions": {_EXTENSION: {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}},
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "triptych"},
        "extensionsUsed": [_EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "portrait"}],
        "meshes": [{"name": "portrait", "primitives": [primitive]}],
        **buffers(list(attributes.values())),
    }
    write_glb(path, document, [part.array.tobytes() for part in attributes.values()])
