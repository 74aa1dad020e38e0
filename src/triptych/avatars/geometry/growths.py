"""Horns, tusks and fangs of creatures: cones along bent axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets
from triptych.avatars.geometry.materials import HAIR, HORN, MOUTH, TEETH
from triptych.avatars.geometry.mesh import triangulate, unit, vertex_normals
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement
from triptych.avatars.people.identity import Identity

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_RINGS, _SEGMENTS = 10, 14
_NUM_BODY_VERTICES = 13380


@dataclass(frozen=True)
class _Cone:
    """A cone on the left half of the head, mirrored to the right; lengths in decimetres.

    Attributes:
        root: Rest point it grows from.
        start: Direction at the root.
        end: Direction at the tip.
        length: Length along the axis.
        radius: Radius at the root.
        depth: How far the root is sunk below the skin.
    """

    root: tuple[float, float, float]
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    length: float
    radius: float
    depth: float = 0.05


_HORN = _Cone((0.40, 8.02, 1.22), (0.55, 0.75, 0.55), (0.05, 1.0, -0.45), 0.75, 0.130, 0.06)
_TUSK = _Cone((0.185, 6.50, 1.46), (0.25, 0.55, 0.75), (0.10, 1.0, -0.05), 0.40, 0.060, 0.03)
_FANG = _Cone((0.115, 6.60, 1.52), (0.0, -1.0, 0.35), (0.0, -1.0, 0.0), 0.19, 0.034, 0.02)


class Growths:
    """Builds horns, tusks and fangs; where they root is found once."""

    def __init__(self, assets: HeadAssets) -> None:
        self._roots = {cone: _nearest_vertices(assets, cone.root) for cone in (_HORN, _TUSK, _FANG)}

    def parts(self, identity: Identity, base: FloatArray, placement: Placement) -> list[Part]:
        """Return the growths of an identity, placed on a morphed base mesh [19158, 3]."""
        parts = []
        if identity.horns > 0.0:
            parts.append(self._pair(_HORN, identity.horns, HORN, HAIR, base, placement))
        if identity.tusks > 0.0:
            parts.append(self._pair(_TUSK, identity.tusks, TEETH, MOUTH, base, placement))
        if identity.fangs > 0.0:
            parts.append(self._pair(_FANG, identity.fangs, TEETH, MOUTH, base, placement))
        return parts

    def _pair(
        self,
        cone: _Cone,
        size: float,
        material: int,
        region: int,
        base: FloatArray,
        placement: Placement,
    ) -> Part:
        shapes = []
        for side, ids in zip((1.0, -1.0), self._roots[cone], strict=True):
            shapes.append(base[ids].mean(axis=0) + _cone_points(cone, size, side))
        quads = _cone_quads()
        triangles = triangulate(np.concatenate([quads, quads[:, ::-1] + len(shapes[0])]))
        positions = placement.to_world(np.concatenate(shapes))
        along = np.tile(np.repeat(np.linspace(0.0, 1.0, _RINGS + 1), _SEGMENTS), 2)
        return Part(
            positions=positions,
            normals=vertex_normals(positions, triangles),
            triangles=triangles,
            material=material,
            region=region,
            wrap=(0.2, 0.2, 0.2),
            rest=np.concatenate(shapes),
            uv=np.stack([along, along, np.ones(len(along))], axis=1),
            shadow_triangles=triangles if region == HAIR else None,
        )


def _cone_points(cone: _Cone, size: float, side: float) -> FloatArray:
    """Return rings of points [(rings + 1) * segments, 3] about a root at the origin."""
    mirror = np.array([side, 1.0, 1.0])
    start, end = unit(np.array(cone.start) * mirror), unit(np.array(cone.end) * mirror)
    share = np.linspace(0.0, 1.0, _RINGS + 1)[:, None]
    directions = unit((1.0 - share) * start + share * end)
    steps = directions * (size * cone.length / _RINGS)
    axis = np.cumsum(steps, axis=0) - steps[:1] - cone.depth * start
    across = unit(np.cross(directions, np.array([0.3, 0.2, 1.0])))
    other = np.cross(directions, across)
    turn = np.linspace(0.0, 2.0 * np.pi, _SEGMENTS, endpoint=False)
    radius = size * cone.radius * (1.0 - share) ** 0.8 + 0.004
    ring = across[:, None] * np.cos(turn)[:, None] + other[:, None] * np.sin(turn)[:, None]
    return (axis[:, None] + radius[:, None] * ring).reshape(-1, 3)


def _cone_quads() -> IntArray:
    ring, segment = (index.ravel() for index in np.mgrid[0:_RINGS, 0:_SEGMENTS])
    following = (segment + 1) % _SEGMENTS
    return np.stack(
        [
            ring * _SEGMENTS + segment,
            ring * _SEGMENTS + following,
            (ring + 1) * _SEGMENTS + following,
            (ring + 1) * _SEGMENTS + segment,
        ],
        axis=1,
    )


def _nearest_vertices(
    assets: HeadAssets, point: tuple[float, float, float]
) -> tuple[IntArray, IntArray]:
    """Return the three body vertices nearest to a rest point and to its mirror image."""
    body = assets.base[:_NUM_BODY_VERTICES]
    nearest = []
    for side in (1.0, -1.0):
        distance = np.linalg.norm(body - np.array(point) * np.array([side, 1.0, 1.0]), axis=1)
        nearest.append(np.argsort(distance)[:3])
    return nearest[0], nearest[1]
