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

    topology = _Topology.of(quads, num_vertices)
    face_points = topology.mean_of_faces()
    rows = [
        _vertex_points(topology, face_points),
        _edge_points(topology, face_points),
        face_points,
    ]
    return Subdivision(sparse.vstack(rows).tocsr(), _finer_quads(topology))


@dataclass(frozen=True, eq=False)
class _Topology:
    """Which faces, edges and vertices of a quad mesh touch; v vertices, e edges, m faces.

    Attributes:
        quads: Vertex ids [m, 4].
        num_vertices: v.
        edge_low: Lower vertex id of each edge [e].
        edge_high: Higher vertex id of each edge [e].
        edge_of_corner: Edge from each corner to the next one of its face [4 m].
        border_edge: Whether an edge has one face only [e].
    """

    quads: IntArray
    num_vertices: int
    edge_low: IntArray
    edge_high: IntArray
    edge_of_corner: IntArray
    border_edge: NDArray[np.bool_]

    @classmethod
    def of(cls, quads: IntArray, num_vertices: int) -> _Topology:
        next_corner = np.roll(quads, -1, axis=1)
        low, high = np.minimum(quads, next_corner).ravel(), np.maximum(quads, next_corner).ravel()
        edges, edge_of_corner = np.unique(low * num_vertices + high, return_inverse=True)
        return cls(
            quads,
            num_vertices,
            edges // num_vertices,
            edges % num_vertices,
            edge_of_corner,
            np.bincount(edge_of_corner, minlength=len(edges)) < 2,
        )

    @property
    def num_edges(self) -> int:
        return len(self.edge_low)

    @property
    def faces_of_edge(self) -> IntArray:
        return np.bincount(self.edge_of_corner, minlength=self.num_edges)

    @property
    def face_of_corner(self) -> IntArray:
        return np.repeat(np.arange(len(self.quads)), 4)

    def mean_of_faces(self) -> Any:
        """Return the matrix [m, v] whose rows are the face points: the means of the corners."""
        weights = np.full(self.quads.size, 0.25)
        shape = (len(self.quads), self.num_vertices)
        return _matrix(weights, self.face_of_corner, self.quads.ravel(), shape)

    def edge_ends(self) -> Any:
        """Return the incidence matrix [e, v] of edges and vertices."""
        return _matrix(
            np.ones(2 * self.num_edges),
            np.repeat(np.arange(self.num_edges), 2),
            np.stack([self.edge_low, self.edge_high], axis=1).ravel(),
            (self.num_edges, self.num_vertices),
        )

    def edge_faces(self) -> Any:
        """Return the incidence matrix [e, m] of edges and faces."""
        ones, shape = np.ones(self.quads.size), (self.num_edges, len(self.quads))
        return _matrix(ones, self.edge_of_corner, self.face_of_corner, shape)

    def vertex_faces(self) -> Any:
        """Return the incidence matrix [v, m] of vertices and faces."""
        ones, shape = np.ones(self.quads.size), (self.num_vertices, len(self.quads))
        return _matrix(ones, self.quads.ravel(), self.face_of_corner, shape)


def _matrix(values: FloatArray, rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> Any:
    from scipy import sparse

    return sparse.csr_matrix((values, (rows, columns)), shape=shape)


def _edge_points(topology: _Topology, face_points: Any) -> Any:
    """Return the matrix [e, v] of edge points.

    They are the mean of both ends and both face points; on borders the midpoint.
    """
    from scipy import sparse

    border, faces = topology.border_edge, topology.faces_of_edge
    mean_face = sparse.diags(np.where(border, 0.0, 0.5 / np.maximum(faces, 1)))
    of_ends = sparse.diags(np.where(border, 0.5, 0.25)) @ topology.edge_ends()
    return of_ends + mean_face @ (topology.edge_faces() @ face_points)


def _vertex_points(topology: _Topology, face_points: Any) -> Any:
    """Return the matrix [v, v] of moved vertices; vertices without a face stay.

    An inner vertex becomes (mean face point + 2 mean edge midpoint + (valence - 3) vertex) /
    valence; one on a border is averaged with the midpoints of its two border edges.
    """
    from scipy import sparse

    num, border_edge = topology.num_vertices, topology.border_edge
    low, high = topology.edge_low, topology.edge_high
    valence = np.bincount(np.concatenate([low, high]), minlength=num)
    on_border = np.zeros(num, bool)
    on_border[low[border_edge]] = on_border[high[border_edge]] = True
    edge_ends, vertex_faces = topology.edge_ends(), topology.vertex_faces()
    midpoints, vertex_edges = 0.5 * edge_ends, edge_ends.T.tocsr()

    divisor = np.maximum(valence, 1).astype(float)
    num_around = np.maximum(np.asarray(vertex_faces.sum(axis=1)).ravel(), 1.0)
    mean_around = sparse.diags(1.0 / num_around) @ vertex_faces @ face_points
    mean_midpoint = sparse.diags(1.0 / divisor) @ vertex_edges @ midpoints
    inner = sparse.diags(((valence > 0) & ~on_border).astype(float)) @ (
        sparse.diags(1.0 / divisor) @ (mean_around + 2.0 * mean_midpoint)
        + sparse.diags((divisor - 3.0) / divisor)
    )

    border_valence = np.bincount(
        np.concatenate([low[border_edge], high[border_edge]]), minlength=num
    )
    border_mean = sparse.diags(0.5 / np.maximum(border_valence, 1)) @ (
        vertex_edges @ sparse.diags(border_edge.astype(float)) @ midpoints
    )
    border = sparse.diags(on_border.astype(float)) @ (border_mean + 0.5 * sparse.identity(num))
    return inner + border + sparse.diags((valence == 0).astype(float))


def _finer_quads(topology: _Topology) -> IntArray:
    """Return the finer quads [4 m, 4]: corner, next edge, face and previous edge point of each."""
    num_faces = len(topology.quads)
    edge_of_face = topology.num_vertices + topology.edge_of_corner.reshape(num_faces, 4)
    centre = topology.num_vertices + topology.num_edges + np.arange(num_faces)
    finer = [
        np.stack(
            [
                topology.quads[:, corner],
                edge_of_face[:, corner],
                centre,
                edge_of_face[:, corner - 1],
            ],
            axis=1,
        )
        for corner in range(4)
    ]
    return np.concatenate(finer)


def identity_step(num_vertices: int) -> Any:
    """Return the sparse matrix that leaves vertices where they are."""
    from scipy import sparse

    return sparse.identity(num_vertices, format="csr")
