"""Catmull-Clark subdivision as one fixed sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subdivision:
    """One subdivision step of a fixed topology.

    Attributes:
        matrix: Sparse [n + edges + faces, n]; new vertices = matrix @ old vertices. The first n
            rows are the moved old vertices.
        quads: The finer quads [4 m, 4].
    """

    matrix: Any
    quads: IntArray


def catmull_clark(quads: IntArray, num_vertices: int) -> Subdivision:
    """Return one Catmull-Clark step for quads [m, 4] over `num_vertices` vertices.

    Borders follow the cubic B-spline rule. A triangle may be given as a quad whose last corner
    repeats.

    Reference: Catmull & Clark 1978, "Recursively generated B-spline surfaces".
    """
    from scipy import sparse

    num_faces = len(quads)
    next_corner = np.roll(quads, -1, axis=1)
    low, high = np.minimum(quads, next_corner).ravel(), np.maximum(quads, next_corner).ravel()
    edges, edge_of_corner = np.unique(low * num_vertices + high, return_inverse=True)
    edge_low, edge_high = edges // num_vertices, edges % num_vertices
    num_edges = len(edges)
    face_of_corner = np.repeat(np.arange(num_faces), 4)
    faces_of_edge = np.bincount(edge_of_corner, minlength=num_edges)
    border_edge = faces_of_edge < 2

    def matrix(values: FloatArray, rows: IntArray, columns: IntArray, height: int, width: int):  # type: ignore[no-untyped-def]
        return sparse.csr_matrix((values, (rows, columns)), shape=(height, width))

    corner_ones = np.ones(4 * num_faces)
    face_points = matrix(0.25 * corner_ones, face_of_corner, quads.ravel(), num_faces, num_vertices)
    edge_ends = matrix(
        np.ones(2 * num_edges),
        np.repeat(np.arange(num_edges), 2),
        np.stack([edge_low, edge_high], axis=1).ravel(),
        num_edges,
        num_vertices,
    )
    edge_faces = matrix(corner_ones, edge_of_corner, face_of_corner, num_edges, num_faces)
    vertex_faces = matrix(corner_ones, quads.ravel(), face_of_corner, num_vertices, num_faces)

    # Edge points: mean of both ends and both face points; on borders the midpoint.
    mean_face = sparse.diags(np.where(border_edge, 0.0, 0.5 / np.maximum(faces_of_edge, 1)))
    edge_points = sparse.diags(np.where(border_edge, 0.5, 0.25)) @ edge_ends + mean_face @ (
        edge_faces @ face_points
    )

    # Vertex points: (mean face point + 2 mean edge midpoint + (valence - 3) vertex) / valence.
    valence = np.bincount(np.concatenate([edge_low, edge_high]), minlength=num_vertices)
    on_border = np.zeros(num_vertices, bool)
    on_border[edge_low[border_edge]] = on_border[edge_high[border_edge]] = True
    divisor = np.maximum(valence, 1).astype(float)
    num_around = np.maximum(np.asarray(vertex_faces.sum(axis=1)).ravel(), 1.0)
    midpoints = 0.5 * edge_ends
    vertex_edges = edge_ends.T.tocsr()
    mean_around = sparse.diags(1.0 / num_around) @ vertex_faces @ face_points
    mean_midpoint = sparse.diags(1.0 / divisor) @ vertex_edges @ midpoints
    inner = sparse.diags(((valence > 0) & ~on_border).astype(float)) @ (
        sparse.diags(1.0 / divisor) @ (mean_around + 2.0 * mean_midpoint)
        + sparse.diags((divisor - 3.0) / divisor)
    )
    border_valence = np.bincount(
        np.concatenate([edge_low[border_edge], edge_high[border_edge]]), minlength=num_vertices
    )
    border_mean = sparse.diags(0.5 / np.maximum(border_valence, 1)) @ (
        vertex_edges @ sparse.diags(border_edge.astype(float)) @ midpoints
    )
    border = sparse.diags(on_border.astype(float)) @ (
        border_mean + 0.5 * sparse.identity(num_vertices)
    )
    unused = sparse.diags((valence == 0).astype(float))

    edge_of_face = edge_of_corner.reshape(num_faces, 4)
    centre = num_vertices + num_edges + np.arange(num_faces)
    finer = [
        np.stack(
            [
                quads[:, corner],
                num_vertices + edge_of_face[:, corner],
                centre,
                num_vertices + edge_of_face[:, corner - 1],
            ],
            axis=1,
        )
        for corner in range(4)
    ]
    stacked = sparse.vstack([inner + border + unused, edge_points, face_points]).tocsr()
    return Subdivision(stacked, np.concatenate(finer))


def identity_step(num_vertices: int) -> Any:
    """Return the sparse matrix that leaves vertices where they are."""
    from scipy import sparse

    return sparse.identity(num_vertices, format="csr")
