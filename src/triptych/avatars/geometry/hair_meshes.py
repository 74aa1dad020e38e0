"""Hair styles made of cards: fitted meshes that are lifted, cut and waved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import FittedMesh, HeadAssets
from triptych.avatars.geometry.head_template import HeadTemplate, hairline_height
from triptych.avatars.geometry.materials import HAIR, HAIR_CARDS
from triptych.avatars.geometry.mesh import (
    gathered_by_uv,
    smooth_step,
    triangulate,
    unit,
    vertex_normals,
)
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement
from triptych.avatars.geometry.subdivision import catmull_clark, identity_step
from triptych.avatars.people.identity import Identity

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_FINE_ENOUGH = 3000  # quads; coarser meshes look facetted and are subdivided
_FRINGE_HUG = 0.06  # share of the distance from the head axis
_RAGGED_ROOT = 0.012  # share of a strand's length that begins raggedly
_MIRRORABLE = frozenset(("bob01", "bob02", "braid01", "short03", "long01"))
_WITH_FRINGE = frozenset(("bob01", "bob02", "braid01", "short03"))
_WAVE_PHASES = (1.0, 2.0, 3.0)
_OFF_THE_SKIN = 0.012  # decimetres


@dataclass(frozen=True)
class _Variant:
    """A style made from the mesh of another one."""

    mesh: str
    volume: float = 0.0
    length: float = 1.0
    wave: float = 0.0


_VARIANTS = {"long_wavy": _Variant("long01", volume=0.03, length=0.80, wave=1.6)}


@dataclass(frozen=True, eq=False)
class _CardTopology:
    """One hair mesh, subdivided unless it is fine already.

    Attributes:
        mesh: The fitted mesh.
        subdivide: Sparse matrix from its vertices to finer ones.
        shared_triangles: Triangles over the finer vertices, for smooth normals.
        vertex_ids: Finer vertex of every vertex that has its own texture coordinate [n].
        uv: Strand coordinates and solidity [n, 3].
        triangles: Triangles [m, 3] over those.
        shadow_triangles: Coarser triangles over them.
        rest: Rest positions [n, 3], decimetres.
        scalp: How far the skin below takes the hair colour, per skin vertex.
    """

    mesh: FittedMesh
    subdivide: Any
    shared_triangles: IntArray
    vertex_ids: IntArray
    uv: FloatArray
    triangles: IntArray
    shadow_triangles: IntArray
    rest: FloatArray
    scalp: FloatArray


class CardHair:
    """Fits card hair; topology and scalp mask of each mesh are prepared at its first use."""

    def __init__(self, assets: HeadAssets, template: HeadTemplate) -> None:
        self._assets = assets
        self._template = template
        self._prepared: dict[str, _CardTopology] = {}

    def knows(self, style: str) -> bool:
        """Tell whether a style is made of cards."""
        return f"hair/{_mesh_name(style)}" in self._assets.meshes

    def scalp(self, style: str) -> FloatArray:
        """Return how far the skin below the cards takes the hair colour, 0..1 [n]."""
        return self._topology(style).scalp

    def part(self, identity: Identity, base: FloatArray, placement: Placement) -> Part:
        """Return the hair of an identity on its morphed base mesh."""
        topology = self._topology(identity.hair_style)
        name = _mesh_name(identity.hair_style)
        points = topology.mesh.fit(base)
        triangles, shared_triangles = topology.triangles, topology.shared_triangles
        shadow_triangles = topology.shadow_triangles
        if identity.hair_mirrored and name in _MIRRORABLE:
            points = points * np.array([-1.0, 1.0, 1.0])
            triangles, shared_triangles, shadow_triangles = (
                faces[:, [0, 2, 1]] for faces in (triangles, shared_triangles, shadow_triangles)
            )
        points = topology.subdivide @ points
        eyes = placement.eye_middle
        if name in _WITH_FRINGE:
            points = _lift_fringe(points, eyes, identity.fringe_lift)
        variant = _VARIANTS.get(identity.hair_style, _Variant(name))
        points = _cut(points, eyes, variant.length * identity.hair_length)
        points = _wave(points, eyes, variant.wave + identity.hair_wave)
        middle = _head_middle(eyes)
        points = middle + (points - middle) * (1.0 + variant.volume + identity.hair_volume)
        outwards = unit(points - middle)
        positions = placement.to_world(points + _OFF_THE_SKIN * outwards)
        normals = _soft_normals(positions, shared_triangles, outwards)
        return Part(
            positions=positions[topology.vertex_ids],
            normals=normals[topology.vertex_ids],
            triangles=triangles,
            material=HAIR_CARDS,
            region=HAIR,
            wrap=(0.3, 0.3, 0.3),
            rest=topology.rest,
            uv=topology.uv,
            shadow_triangles=shadow_triangles,
        )

    def _topology(self, style: str) -> _CardTopology:
        name = _mesh_name(style)
        if name not in self._prepared:
            mesh = self._assets.meshes[f"hair/{name}"]
            scalp = self._scalp_below(mesh.fit(self._assets.base), triangulate(mesh.faces))
            self._prepared[name] = _prepare(mesh, self._assets.base, scalp)
        return self._prepared[name]

    def _scalp_below(self, hair: FloatArray, triangles: IntArray) -> FloatArray:
        from scipy.spatial import cKDTree

        rest, ear = self._template.rest, self._template.ear
        points = np.concatenate([hair, hair[triangles].mean(axis=1)])
        distance, _ = cKDTree(points).query(rest)
        near = 1.0 - smooth_step(0.02, 0.11, distance)
        on_skull = smooth_step(
            -0.25, -0.05, rest[:, 1] - hairline_height(rest, behind_ear_drop=0.35)
        )
        forehead = (rest[:, 2] > 1.05) & (rest[:, 1] < 7.75)
        return near * (ear < 0.1) * on_skull * ~forehead


def _prepare(mesh: FittedMesh, base: FloatArray, scalp: FloatArray) -> _CardTopology:
    rest = mesh.fit(base)
    if len(mesh.faces) > _FINE_ENOUGH:
        subdivide, faces = identity_step(len(rest)), mesh.faces
        uv, uv_faces = mesh.uv, mesh.uv_faces
    else:
        step = catmull_clark(mesh.faces, len(rest))
        uv_step = catmull_clark(mesh.uv_faces, len(mesh.uv))
        subdivide, faces = step.matrix, step.quads
        uv, uv_faces = uv_step.matrix @ mesh.uv, uv_step.quads
    vertex_ids, uv_ids, quads = gathered_by_uv(faces, uv_faces, len(uv))
    strand = uv[uv_ids]
    solid = smooth_step(1.0, 1.0 - _RAGGED_ROOT, strand[:, 1])
    triangles = triangulate(quads)
    return _CardTopology(
        mesh=mesh,
        subdivide=subdivide,
        shared_triangles=triangulate(faces),
        vertex_ids=vertex_ids,
        uv=np.concatenate([strand, solid[:, None]], axis=1),
        triangles=triangles,
        shadow_triangles=_joined_quarters(quads) if len(quads) > len(mesh.faces) else triangles,
        rest=(subdivide @ rest)[vertex_ids],
        scalp=scalp,
    )


def _joined_quarters(quads: IntArray) -> IntArray:
    """Return triangles over the corners of the quads that one subdivision step has split."""
    corners = np.stack(np.split(quads[:, 0], 4), axis=1)
    return triangulate(corners)


def _mesh_name(style: str) -> str:
    return _VARIANTS[style].mesh if style in _VARIANTS else style


def _head_middle(eyes: FloatArray) -> FloatArray:
    return np.array([0.0, eyes[1] + 0.25, eyes[2] - 1.05])


def _lift_fringe(points: FloatArray, eyes: FloatArray, strength: float) -> FloatArray:
    """Compress what hangs below the brows in front to a tenth: neat bangs, no hidden eye."""
    height, ahead = points[:, 1] - eyes[1], points[:, 2] - (eyes[2] - 1.0)
    angle = np.abs(np.arctan2(points[:, 0], ahead))
    weight = smooth_step(1.02, 0.72, angle) * smooth_step(0.2, 0.5, ahead) * (height > -1.6)
    weight = strength * weight
    lowest = 0.40
    too_low = height < lowest
    lifted = np.where(too_low, lowest + 0.10 * (height - lowest), height)
    moved = points.copy()
    moved[:, 1] = eyes[1] + height * (1.0 - weight) + lifted * weight
    # Draw the lower edge in, else it stands off the forehead like the brim of a cap.
    shrink = 1.0 - _FRINGE_HUG * weight * smooth_step(0.85, 0.40, moved[:, 1] - eyes[1])
    moved[:, 0] *= shrink
    moved[:, 2] = eyes[2] - 1.0 + ahead * shrink
    return moved


def _cut(points: FloatArray, eyes: FloatArray, length: float) -> FloatArray:
    """Scale the length of what hangs below the eyes."""
    top = eyes[1] - 0.1
    moved = points.copy()
    moved[:, 1] = np.where(points[:, 1] < top, top + length * (points[:, 1] - top), points[:, 1])
    return moved


def _wave(points: FloatArray, eyes: FloatArray, strength: float) -> FloatArray:
    """Add two sine waves that grow downwards."""
    first, second, third = _WAVE_PHASES
    x, y, z = points.T
    fallen = smooth_step(0.0, 1.0, (eyes[1] - y) / 1.2)
    amplitude = 0.035 * strength * np.clip(0.25 + fallen, 0.0, 1.3)
    outwards = unit(points - _head_middle(eyes))
    swing = amplitude * np.sin(7.0 * y + 3.0 * np.sin(2.1 * x + first) + second)
    moved = points + outwards * swing[:, None]
    moved[:, 0] += 0.9 * amplitude * np.sin(6.0 * moved[:, 1] + 4.0 * moved[:, 2] + third)
    return moved


def _soft_normals(positions: FloatArray, triangles: IntArray, outwards: FloatArray) -> FloatArray:
    """Blend card normals, flipped outwards, with directions from the head, to hide the cards."""
    normals = vertex_normals(positions, triangles)
    facing = np.sum(normals * outwards, axis=1, keepdims=True)
    return unit(np.where(facing < 0.0, -normals, normals) * 0.6 + outwards * 0.7)
