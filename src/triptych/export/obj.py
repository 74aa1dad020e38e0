"""Wavefront .obj files of one textured mesh, with the material (.mtl) and the texture (.png)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from triptych.arguments import checked
from triptych.errors import UserError
from triptych.export.pictures import save_png
from triptych.files import atomic_write

_MATERIAL = "portrait"


@checked
def save_textured_obj(
    path: str | Path,
    vertices: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    *,
    nodes: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a mesh whose texture is shown as it is, without lighting; the .obj file comes last.

    Args:
        path: File to be; NAME.mtl and NAME.png are written beside it.
        vertices: float32 [v, 3], y up.
        triangles: int [t, 3], counter-clockwise as seen from outside.
        normals: Unit float32 [v, 3].
        uv: float [v, 2] in [0, 1], u to the right, v down; the file counts v upwards.
        texture: sRGB uint8 [s, s, 3].
        nodes: Triangles of each group by its name; one group of all by default.

    Raises:
        UserError: The name has letters that the format cannot hold, or a file cannot be written.
    """
    file = Path(path)
    if not file.stem.isprintable() or any(letter.isspace() for letter in file.stem):
        raise UserError(f"{file.name}: .obj files name others, in words without spaces; rename it")
    save_png(file.with_suffix(".png"), texture)
    with atomic_write(file.with_suffix(".mtl"), "w") as stream:
        # Illumination model 0: the colour of the texture, whatever the light.
        stream.write(f"newmtl {_MATERIAL}\nKd 1 1 1\nillum 0\nmap_Kd {file.stem}.png\n")
    with atomic_write(file, "w") as stream:
        stream.write(f"mtllib {file.stem}.mtl\nusemtl {_MATERIAL}\n")
        places = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        for kind, rows in (("v", vertices), ("vt", places), ("vn", normals)):
            np.savetxt(stream, rows, fmt=kind + " %.6g" * rows.shape[1])
        for name, some in (nodes or {"portrait": triangles}).items():
            stream.write(f"g {name}\n")
            corners = np.repeat(some + 1, 3, axis=1)  # place, texture and normal share an index
            np.savetxt(stream, corners, fmt="f %d/%d/%d %d/%d/%d %d/%d/%d")
