"""A triangle mesh with values at its vertices: drawn into pictures, smoothed and sampled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from triptych.export.surface import closed_surface, vertex_normals
from triptych.systems.lift.pinhole import FloatArray, Pinhole

IntArray = NDArray[np.int64]

_OFF_LATTICE = 1e-4  # pixels: edges that meet pixels' centres exactly would leave gaps there


@dataclass(frozen=True, eq=False)
class Raster:
    """What a camera sees of a surface.

    Attributes:
        owner: The triangle at each pixel [s, s]; -1 for none.
        first, second: Weights of the triangle's first and second corner [s, s].
        depth: Depth along the axis [s, s]; infinite for none.
    """

    owner: IntArray
    first: FloatArray
    second: FloatArray
    depth: FloatArray

    @property
    def hit(self) -> NDArray[np.bool_]:
        """Pixels that see the surface [s, s]."""
        return self.owner >= 0

    def values(self, triangles: IntArray, per_vertex: FloatArray) -> FloatArray:
        """Return values [m, c] at the pixels that see the surface, from vertices' [n, c]."""
        corners = triangles[self.owner[self.hit]]
        first, second = self.first[self.hit][:, None], self.second[self.hit][:, None]
        mixed = per_vertex[corners[:, 0]] * first + per_vertex[corners[:, 1]] * second
        return mixed + per_vertex[corners[:, 2]] * (1 - first - second)


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed mesh in the world.

    Attributes:
        vertices: [n, 3].
        triangles: Vertex ids [t, 3].
        normals: Unit vectors out of it [n, 3].
    """

    vertices: FloatArray
    triangles: IntArray
    normals: FloatArray

    @classmethod
    def of_density(cls, density: NDArray[np.float32], level: float, box_size: float) -> Surface:
        """Return the surface of the largest solid of raw densities [n, n, n].

        Raises:
            UserError: Nothing exceeds the level.
        """
        vertices, triangles = closed_surface(density, level, box_size)
        normals = vertex_normals(vertices, triangles)
        return cls(vertices.astype(float), triangles.astype(np.int64), normals.astype(float))

    def __len__(self) -> int:
        return len(self.vertices)

    @cached_property
    def edges(self) -> IntArray:
        """Vertex ids of each edge once [e, 2]."""
        corners = self.triangles
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        pairs.sort(axis=1)
        keys = np.unique(pairs[:, 0] * len(self) + pairs[:, 1])
        return np.column_stack(np.divmod(keys, len(self)))

    def adjacency(self, weights: FloatArray | None = None) -> sparse.csr_matrix:
        """Return the symmetric matrix [n, n] of edge weights [e], 1 by default."""
        weights = np.ones(len(self.edges)) if weights is None else weights
        half = sparse.coo_matrix((weights, tuple(self.edges.T)), (len(self), len(self)))
        return (half + half.T).tocsr()

    def laplacian(self, weights: FloatArray | None = None) -> sparse.csr_matrix:
        """Return the graph Laplacian [n, n] of edge weights [e]."""
        adjacency = self.adjacency(weights)
        return sparse.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency

    def smoothed(self, per_vertex: FloatArray, rounds: int) -> FloatArray:
        """Move values [n] or [n, c] half-way to their neighbours' mean, round by round."""
        values = per_vertex.reshape(len(self), -1)
        for _ in range(rounds):
            values = 0.5 * values + 0.5 * (self._mean_of_neighbours @ values)
        return values.reshape(per_vertex.shape)

    @cached_property
    def _mean_of_neighbours(self) -> sparse.csr_matrix:
        adjacency = self.adjacency()
        degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
        return (sparse.diags(1 / degree) @ adjacency).tocsr()

    def rasterised(self, pinhole: Pinhole) -> Raster:
        """Draw the surface."""
        from triptych.avatars.shading.raster import rasterise

        size = pinhole.size
        pixels, depth = pinhole.project(self.vertices)
        nearest, owner = np.zeros((size, size)), np.full((size, size), -1, np.int64)
        first, second = np.zeros((size, size)), np.zeros((size, size))
        plain, unused = np.zeros(len(self.triangles), np.int64), np.zeros((len(self), 3))
        columns, rows = np.ascontiguousarray(pixels.T) + _OFF_LATTICE
        rasterise(
            columns, rows, 1 / depth, self.triangles, plain, unused, nearest, owner, first, second
        )
        with np.errstate(divide="ignore"):
            return Raster(owner, first, second, 1 / nearest)

    def sampled(
        self, number: int, rng: np.random.Generator, weights: FloatArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Draw points evenly over the area.

        Args:
            number: How many, m.
            rng: Source of randomness.
            weights: How much each triangle's area counts [t].

        Returns:
            Triangles [m] and weights of their corners [m, 3].
        """
        area = self.areas if weights is None else self.areas * weights
        chosen = rng.choice(len(area), number, p=area / area.sum())
        root, share = np.sqrt(rng.random(number)), rng.random(number)
        return chosen, np.column_stack([1 - root, root * (1 - share), root * share])

    def mixed(self, chosen: IntArray, corners: FloatArray, per_vertex: FloatArray) -> FloatArray:
        """Return values [m, c] at points that `sampled` drew, from vertices' [n, c]."""
        return np.einsum("mk,mkc->mc", corners, per_vertex[self.triangles[chosen]])

    @cached_property
    def areas(self) -> FloatArray:
        """Area of each triangle [t]."""
        return np.linalg.norm(self._cross, axis=1) / 2

    @cached_property
    def facing(self) -> FloatArray:
        """Unit normal of each triangle [t, 3]."""
        return self._cross / np.maximum(2 * self.areas[:, None], 1e-20)

    @cached_property
    def _cross(self) -> FloatArray:
        first, second, third = (self.vertices[self.triangles[:, corner]] for corner in range(3))
        return np.cross(second - first, third - first)
