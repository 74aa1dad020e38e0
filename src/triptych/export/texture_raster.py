"""Which triangle of an unwrapped mesh covers each texel, and where in it."""

from __future__ import annotations

import numpy as np

from triptych.ops.kernel_cache import compiled

_INSIDE = -1e-6


@compiled()
def rasterise_uv(uv: np.ndarray, triangles: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangle at each texel's centre and the weights of its corners there.

    Args:
        uv: Texture coordinates float32 [v, 2] in [0, 1], u to the right, v down.
        triangles: int32 [t, 3].
        size: Texels along each side.

    Returns:
        Triangles int32 [size, size], -1 where there is none, and weights float32 [size, size, 3].
    """
    covered = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 3), np.float32)
    for index in range(len(triangles)):
        a, b, c = triangles[index]
        ax, ay = uv[a, 0] * size - 0.5, uv[a, 1] * size - 0.5
        bx, by = uv[b, 0] * size - 0.5, uv[b, 1] * size - 0.5
        cx, cy = uv[c, 0] * size - 0.5, uv[c, 1] * size - 0.5
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0:
            continue
        top, bottom = int(np.ceil(min(ay, by, cy))), int(max(ay, by, cy))
        left, right = int(np.ceil(min(ax, bx, cx))), int(max(ax, bx, cx))
        for row in range(max(0, top), min(size, bottom + 1)):
            for column in range(max(0, left), min(size, right + 1)):
                first = ((bx - column) * (cy - row) - (cx - column) * (by - row)) / area
                second = ((cx - column) * (ay - row) - (ax - column) * (cy - row)) / area
                third = 1 - first - second
                if first >= _INSIDE and second >= _INSIDE and third >= _INSIDE:
                    covered[row, column] = index
                    weights[row, column, 0] = first
                    weights[row, column, 1] = second
                    weights[row, column, 2] = third
    return covered, weights
