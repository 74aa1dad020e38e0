"""Quads, triangles and normals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def triangulate(quads: IntArray) -> IntArray:
    """Split quads [m, 4] into triangles [n, 3]; a quad with a repeated corner gives one."""
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    first, second, third = triangles.T
    return triangles[(first != second) & (second != third) & (first != third)]


def compact(faces: IntArray, num_vertices: int) -> tuple[IntArray, IntArray]:
    """Drop unused vertices: return the used vertex ids and the faces renumbered to them."""
    used = np.unique(faces)
    renumber = np.full(num_vertices, -1, np.int64)
    renumber[used] = np.arange(len(used))
    return used, renumber[faces]


def vertex_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Return unit normals [n, 3], the average of the faces around weighted by area."""
    corner = vertices[triangles]
    faces = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    return unit(spread_to_vertices(faces, triangles, len(vertices)))


def spread_to_vertices(
    face_values: FloatArray, triangles: IntArray, num_vertices: int
) -> FloatArray:
    """Add the value [m, c] of every triangle to its three corners: [num_vertices, c]."""
    corners = triangles.T.ravel()
    return np.stack(
        [
            np.bincount(corners, weights=np.tile(column, 3), minlength=num_vertices)
            for column in face_values.T
        ],
        axis=1,
    )


def unit(vectors: FloatArray) -> FloatArray:
    """Scale vectors [..., 3] to length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def concatenate_triangles(parts: Iterable[tuple[int, IntArray]]) -> IntArray:
    """Join triangle lists given as (number of vertices, triangles) into one numbering."""
    offset, moved = 0, []
    for num_vertices, triangles in parts:
        moved.append(triangles + offset)
        offset += num_vertices
    return np.concatenate(moved)


def smooth_step(start: float, end: float, value: FloatArray) -> FloatArray:
    """Rise smoothly from 0 at `start` to 1 at `end` (also falling, when start > end)."""
    share = np.clip((value - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def gathered_by_uv(
    faces: IntArray, uv_faces: IntArray, num_uv: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Split vertices so that each has one texture coordinate.

    Returns:
        Vertex id and texture coordinate id of every new vertex, and the quads renumbered.
    """
    pairs, corners = np.unique(faces * num_uv + uv_faces, return_inverse=True)
    return pairs // num_uv, pairs % num_uv, corners.reshape(faces.shape)
