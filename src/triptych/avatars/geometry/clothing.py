"""Garments on the bust, and the skin that must stay below them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets
from triptych.avatars.geometry.materials import BODY, CLOTH
from triptych.avatars.geometry.mesh import compact, triangulate, vertex_normals
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement
from triptych.avatars.geometry.subdivision import catmull_clark

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_LOWEST, _WIDEST = 3.7, 3.4  # rest-pose decimetres
_LIFT = 0.004  # world units off the skin
_MOST_PARTS = 5
_SINK = 0.012  # world units
_CHEST_TOP, _COVERED_TOP = 6.15, 6.0


@dataclass(frozen=True, eq=False)
class _GarmentTopology:
    used: IntArray
    subdivide: Any
    triangles: IntArray
    coarse_triangles: IntArray
    rest: FloatArray
    uv: FloatArray


class Wardrobe:
    """Fits garments; the topology of each is prepared at its first use."""

    def __init__(self, assets: HeadAssets) -> None:
        self._assets = assets
        self._prepared: dict[str, _GarmentTopology] = {}

    def garment(self, name: str, base: FloatArray, placement: Placement) -> Part:
        """Return a garment fitted to a morphed base mesh."""
        mesh = self._assets.meshes[f"cloth/{name}"]
        if name not in self._prepared:
            self._prepared[name] = _prepare(name, self._assets)
        topology = self._prepared[name]
        fitted = topology.subdivide @ mesh.fit(base)[topology.used]
        positions = placement.to_world(fitted)
        normals = vertex_normals(positions, topology.triangles)
        return Part(
            positions=positions + _LIFT * normals,
            normals=normals,
            triangles=topology.triangles,
            material=CLOTH,
            region=BODY,
            wrap=(0.15, 0.15, 0.15),
            rest=topology.rest,
            uv=topology.uv,
            shadow_triangles=topology.coarse_triangles,
        )


def sunk_below_cloth(
    skin: FloatArray, skin_normals: FloatArray, rest: FloatArray, garment: Part
) -> FloatArray:
    """Return how far skin must move [n, 3] so that it does not pierce the garment.

    Args:
        skin: Skin positions [n, 3], world.
        skin_normals: Their normals.
        rest: Their rest positions, decimetres.
        garment: The garment.
    """
    from scipy.spatial import cKDTree

    chest = np.flatnonzero(rest[:, 1] < _CHEST_TOP)
    distance, nearest = cKDTree(garment.positions).query(skin[chest], distance_upper_bound=0.035)
    nearest = np.minimum(nearest, len(garment.positions) - 1)
    to_cloth = garment.positions[nearest] - skin[chest]
    covered = (
        (distance < 0.03)
        & (rest[chest, 1] < _COVERED_TOP)
        & (np.sum(to_cloth * skin_normals[chest], axis=1) > -0.004)
        & (np.sum(to_cloth * garment.normals[nearest], axis=1) > -0.008)
    )
    sunk = np.zeros_like(skin)
    sunk[chest] = -_SINK * covered[:, None] * skin_normals[chest]
    return sunk


def _prepare(name: str, assets: HeadAssets) -> _GarmentTopology:
    mesh = assets.meshes[f"cloth/{name}"]
    rest = mesh.fit(assets.base)
    corners = rest[mesh.faces]
    on_bust = (corners[:, :, 1].max(axis=1) > _LOWEST) & (
        np.abs(corners[:, :, 0]).min(axis=1) < _WIDEST
    )
    used, quads = compact(mesh.faces[on_bust], len(rest))
    step = catmull_clark(quads, len(used))
    triangles = triangulate(step.quads)
    part = _connected_parts(triangles, step.matrix.shape[0])
    return _GarmentTopology(
        used=used,
        subdivide=step.matrix,
        triangles=triangles,
        coarse_triangles=triangulate(quads),
        rest=step.matrix @ rest[used],
        uv=np.stack([part, np.zeros(len(part)), np.ones(len(part))], axis=1),
    )


def _connected_parts(triangles: IntArray, num_vertices: int) -> FloatArray:
    """Number the connected pieces of a garment by size, 0 the largest."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    start, end = triangles[:, [0, 1]].ravel(), triangles[:, [1, 2]].ravel()
    links = sparse.csr_matrix((np.ones(len(start)), (start, end)), shape=(num_vertices,) * 2)
    count, label = connected_components(links, directed=False)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-np.bincount(label))] = np.arange(count)
    return np.minimum(rank[label], _MOST_PARTS - 1).astype(float)
