"""Eye balls, teeth and lashes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import FittedMesh, HeadAssets
from triptych.avatars.geometry.materials import EYE, EYES, LASHES, MOUTH, TEETH
from triptych.avatars.geometry.mesh import (
    compact,
    triangulate,
    unit,
    vertex_normals,
)
from triptych.avatars.geometry.parts import Part
from triptych.avatars.geometry.placement import Placement
from triptych.avatars.people.identity import Identity

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_BALL_SHARE = 0.985  # of the fitted radius, so that it stays behind the lids
_CAMERA_DISTANCE = 2.7
_GLANCE = 0.7  # how far eyes turn from straight ahead to the front camera
_LASH_MESH = "lash/eyelashes01"
_LASH_LENGTH = 0.30  # untextured full-length cards look like black plates
_UPPER_LASHES = 7.295


def unit_sphere(segments: int = 40, rings: int = 20) -> tuple[FloatArray, IntArray]:
    """Return vertices [n, 3] and triangles of a sphere whose pole is +z."""
    polar = np.linspace(0.0, np.pi, rings + 1)[:, None]
    azimuth = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)[None]
    vertices = np.stack(
        np.broadcast_arrays(
            np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)
        ),
        axis=-1,
    ).reshape(-1, 3)
    ring, segment = (index.ravel() for index in np.mgrid[0:rings, 0:segments])
    following = (segment + 1) % segments
    quads = np.stack(
        [
            ring * segments + segment,
            ring * segments + following,
            (ring + 1) * segments + following,
            (ring + 1) * segments + segment,
        ],
        axis=1,
    )
    return vertices, triangulate(quads)


class FaceParts:
    """Builds eye balls, teeth and lashes; their topology is prepared once."""

    def __init__(self, assets: HeadAssets) -> None:
        self._sphere, self._sphere_triangles = unit_sphere()
        self._teeth = assets.meshes["teeth"]
        self._teeth_triangles = triangulate(self._teeth.faces)
        self._teeth_rest = self._teeth.fit(assets.base)
        self._lashes = assets.meshes[_LASH_MESH]
        self._upper_lashes = _upper_triangles(self._lashes, assets)

    def eyes(self, identity: Identity, placement: Placement) -> list[Part]:
        """Return both eye balls, turned towards the front camera plus the gaze."""
        parts = []
        for centre, radius in zip(placement.eye_centres, placement.eye_radii, strict=True):
            middle = placement.to_world(centre)
            parts.append(
                Part(
                    positions=middle + self._sphere * (radius * placement.scale * _BALL_SHARE),
                    normals=self._sphere,
                    triangles=self._sphere_triangles,
                    material=EYE,
                    region=EYES,
                    wrap=(0.25, 0.22, 0.20),
                    rest=self._sphere @ _gaze_rotation(middle, identity.gaze),
                )
            )
        return parts

    def teeth(self, base: FloatArray, placement: Placement) -> Part:
        """Return the teeth."""
        positions = placement.to_world(self._teeth.fit(base))
        return Part(
            positions=positions,
            normals=vertex_normals(positions, self._teeth_triangles),
            triangles=self._teeth_triangles,
            material=TEETH,
            region=MOUTH,
            wrap=(0.1, 0.1, 0.1),
            rest=self._teeth_rest,
        )

    def lashes(self, base: FloatArray, placement: Placement) -> Part:
        """Return short upper lashes."""
        used, triangles = self._upper_lashes
        short = _shortened_lashes(self._lashes.fit(base)[used], placement)
        positions = placement.to_world(short)
        return Part(
            positions=positions,
            normals=vertex_normals(positions, triangles),
            triangles=triangles,
            material=LASHES,
            region=EYES,
            wrap=(0.3, 0.3, 0.3),
        )


def _gaze_rotation(middle: FloatArray, gaze: tuple[float, ...]) -> FloatArray:
    """Return the rotation [3, 3] from the gaze frame, in which +z looks ahead, to the world."""
    to_camera = np.array([0.0, 0.0, _CAMERA_DISTANCE]) - middle
    yaw = _GLANCE * math.atan2(to_camera[0], to_camera[2]) + gaze[0]
    pitch = -_GLANCE * math.atan2(to_camera[1], to_camera[2]) + gaze[1]
    turn = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    nod = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    return turn @ nod


def _upper_triangles(lashes: FittedMesh, assets: HeadAssets) -> tuple[IntArray, IntArray]:
    rest = lashes.fit(assets.base)
    triangles = triangulate(lashes.faces)
    upper = rest[triangles][:, :, 1].mean(axis=1) > _UPPER_LASHES
    return compact(triangles[upper], len(rest))


def _shortened_lashes(points: FloatArray, placement: Placement) -> FloatArray:
    short = points.copy()
    for centre, radius in zip(placement.eye_centres, placement.eye_radii, strict=True):
        own = np.sign(points[:, 0]) == np.sign(centre[0])
        from_centre = points[own] - centre
        length = np.linalg.norm(from_centre, axis=1, keepdims=True)
        root = 1.08 * radius
        kept = np.minimum(length, root + np.clip(length - root, 0.0, None) * _LASH_LENGTH)
        short[own] = centre + unit(from_centre) * kept
    return short
