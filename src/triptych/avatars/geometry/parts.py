"""A part of an avatar: positioned triangles of one material."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """One material's geometry in world units.

    Attributes:
        positions: [n, 3].
        normals: Unit normals [n, 3] used for light.
        triangles: Vertex ids [m, 3].
        material: One of `materials`.
        region: Region of its triangles; skin finds its own per sample.
        wrap: How far light wraps around the horizon, per channel.
        rest: Rest positions at which the shading formulas are evaluated, [n, 3].
        uv: Texture coordinates [n, 3]: strand coordinates and how solid hair is there (0..1), or
            for cloth the number of the piece.
        shadow_triangles: Coarse triangles [k, 3] that shade others, None where it shades nothing.
    """

    positions: FloatArray
    normals: FloatArray
    triangles: IntArray
    material: int
    region: int
    wrap: tuple[float, float, float]
    rest: FloatArray | None = None
    uv: FloatArray | None = None
    shadow_triangles: IntArray | None = None
