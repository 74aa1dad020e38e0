"""The subdivided rest head and its vertex masks: computed once per asset pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets
from triptych.avatars.geometry.mesh import compact, smooth_step, triangulate, vertex_normals
from triptych.avatars.geometry.placement import lip_vertices
from triptych.avatars.geometry.subdivision import catmull_clark
from triptych.avatars.shading.lighting import Occluders, bake, even_lighting

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_EYE_LEVEL = 7.284
_NOSE_TARGETS = ("nose-scale-horiz-incr", "nose-scale-vert-incr", "nose-scale-depth-incr")


@dataclass(frozen=True, eq=False)
class HeadTemplate:
    """Head, neck and shoulders after one subdivision step, in rest pose (decimetres).

    Attributes:
        base_ids: Base vertex ids of the coarse vertices [c].
        coarse_triangles: Triangles over the coarse vertices, used as shadow caster.
        subdivide: Sparse [n, c]; fine vertices = subdivide @ coarse vertices; the first c fine
            vertices are the moved coarse ones.
        quads: Fine quads [q, 4].
        triangles: Fine triangles [m, 3].
        rest: Fine rest positions [n, 3].
        lip_ids: Base vertex ids around the middle of the mouth.
        ear: Protruding part of the ears, 0..1.
        nose: Influence of the nose size targets, 0..1.
        lid: Lid rims, full on the upper and weaker on the lower lid, 0..1.
        mouth_inside: 1 within the mouth cavity.
        beard: Whole beard, 0..1.
        goatee: Chin and moustache only, 0..1.
        below_jaw: Positive below the jaw line, decimetres.
        scalp: Hair-covered skull with a soft hairline, 0..1.
    """

    base_ids: IntArray
    coarse_triangles: IntArray
    subdivide: Any
    quads: IntArray
    triangles: IntArray
    rest: FloatArray
    lip_ids: IntArray
    ear: FloatArray
    nose: FloatArray
    lid: FloatArray
    mouth_inside: FloatArray
    beard: FloatArray
    goatee: FloatArray
    below_jaw: FloatArray
    scalp: FloatArray

    @property
    def num_coarse(self) -> int:
        """Number of coarse vertices."""
        return len(self.base_ids)

    def refine(self, base: FloatArray) -> FloatArray:
        """Subdivide a morphed base mesh [19158, 3] to fine vertices [n, 3]."""
        return self.subdivide @ base[self.base_ids]


def build_template(assets: HeadAssets) -> HeadTemplate:
    """Subdivide the base mesh and compute the rest-space masks."""
    base_ids, coarse_quads = compact(assets.body_faces, len(assets.base))
    step = catmull_clark(coarse_quads, len(base_ids))
    rest = step.matrix @ assets.base[base_ids]
    triangles, coarse_triangles = triangulate(step.quads), triangulate(coarse_quads)
    ear, below_jaw = _ear_mask(rest), _jaw_line(rest) - rest[:, 1]
    openness = _openness(rest, triangles, coarse_triangles, len(base_ids))
    mouth_inside = _mouth_cavity(rest, openness)
    beard = _beard_mask(rest, ear, mouth_inside, below_jaw)
    return HeadTemplate(
        base_ids=base_ids,
        coarse_triangles=coarse_triangles,
        subdivide=step.matrix,
        quads=step.quads,
        triangles=triangles,
        rest=rest,
        lip_ids=lip_vertices(assets),
        ear=ear,
        nose=step.matrix @ _target_influence(assets, _NOSE_TARGETS)[base_ids],
        lid=_lid_mask(rest, assets),
        mouth_inside=mouth_inside,
        beard=beard,
        goatee=beard * smooth_step(0.42, 0.26, np.abs(rest[:, 0])),
        below_jaw=below_jaw,
        scalp=_scalp_mask(rest, ear),
    )


def hairline_height(rest: FloatArray, behind_ear_drop: float = 0.25) -> FloatArray:
    """Return the height of the hairline at each rest point, falling towards the nape."""
    depth = rest[:, 2]
    return (
        7.90
        - 0.62 * np.clip(1.25 - depth, 0.0, 0.9)
        - 0.75 * np.clip(0.62 - depth, 0.0, 0.5)
        - behind_ear_drop * np.clip(0.1 - depth, 0.0, 1.0)
    )


def _openness(
    rest: FloatArray, triangles: IntArray, coarse_triangles: IntArray, num_coarse: int
) -> FloatArray:
    light = bake(
        Occluders(((rest[:num_coarse], coarse_triangles),)),
        rest,
        vertex_normals(rest, triangles),
        np.zeros_like(rest),
        even_lighting(),
        centre=(0.0, 6.8, 0.5),
        extent=2.2,
        bias=0.03,
    )
    return light.openness


def _mouth_cavity(rest: FloatArray, openness: FloatArray) -> FloatArray:
    x, y, z = rest.T
    box = (np.abs(x) < 0.5) & (y > 6.15) & (y < 6.9) & (z < 1.46) & (z > 0.4)
    return (box & (openness < 0.10)).astype(float)


def _ear_mask(rest: FloatArray) -> FloatArray:
    x, y, z = rest.T
    half_head = 0.74 - 0.28 * np.clip(7.35 - y, 0.0, 1.0)
    protrusion = np.clip((np.abs(x) - half_head) / 0.10, 0.0, 1.0)
    return np.where((z > -0.05) & (z < 0.72) & (y > 6.72) & (y < 7.50), protrusion, 0.0)


def _jaw_line(rest: FloatArray) -> FloatArray:
    return np.minimum(6.62, 6.10 + 0.50 * np.clip(1.38 - rest[:, 2], 0.0, None))


def _lid_mask(rest: FloatArray, assets: HeadAssets) -> FloatArray:
    centres = [assets.base[ids].mean(axis=0) for ids in assets.eyeballs]
    distance = np.min([np.linalg.norm(rest - centre, axis=1) for centre in centres], axis=0)
    share = np.where(rest[:, 1] > _EYE_LEVEL - 0.005, 1.0, 0.45)
    return smooth_step(0.186, 0.160, distance) * share * (rest[:, 2] > 1.2)


def _beard_mask(
    rest: FloatArray, ear: FloatArray, mouth_inside: FloatArray, below_jaw: FloatArray
) -> FloatArray:
    x, y, z = rest.T
    side = np.abs(x)
    jaw = smooth_step(-0.13, 0.02, -below_jaw) * smooth_step(0.42, 0.62, z) * (side < 0.95)
    jaw *= 1.0 - smooth_step(6.72, 6.86, y - 0.55 * np.clip(side - 0.33, 0.0, 0.6))
    jaw *= np.where((side < 0.30) & (y > 6.45) & (y < 6.72), 0.75, 1.0)
    moustache = smooth_step(0.33, 0.22, side) * smooth_step(6.70, 6.74, y)
    moustache *= smooth_step(6.86, 6.80, y) * smooth_step(1.2, 1.3, z)
    mask = np.maximum(jaw, moustache) * (1.0 - smooth_step(0.34, 0.46, _lip_field(rest)))
    return mask * (ear < 0.15) * (1.0 - mouth_inside)


def _lip_field(rest: FloatArray) -> FloatArray:
    """Return a soft lip mask, wider than the shaded lips, that keeps the beard off them."""
    x, y, z = rest.T
    across = np.abs(x) / 0.262
    upper = 6.607 + 0.088 * np.clip(1.0 - across**2.1, 0.0, 1.0)
    upper += 0.006 * np.exp(-(((np.abs(x) - 0.07) / 0.04) ** 2)) - 0.014 * np.exp(
        -((x / 0.028) ** 2)
    )
    lower = 6.607 - 0.112 * np.clip(1.0 - across**2.4, 0.0, 1.0)
    inside = np.minimum(upper - y, y - lower)
    return np.where((z > 1.2) & (np.abs(x) < 0.30), np.clip(0.5 + inside / 0.06, 0.0, 1.0), 0.0)


def _scalp_mask(rest: FloatArray, ear: FloatArray) -> FloatArray:
    _, y, z = rest.T
    cap = smooth_step(0.0, 0.30, y - hairline_height(rest)) * (ear < 0.12) * (z < 1.55)
    around_ear = (z > 0.15) & (z < 0.62) & (y < 7.25)
    near_ear = smooth_step(0.62, 0.35, np.abs(z - 0.35) + 0.3 * (ear > 0.03))
    return np.where(around_ear, cap * near_ear, cap)


def _target_influence(assets: HeadAssets, names: tuple[str, ...]) -> FloatArray:
    """Return how far the named nose targets move each base vertex, 1 at the strongest."""
    influence = np.zeros(len(assets.base))
    for name in names:
        target = assets.targets[f"nose/{name}"]
        length = np.linalg.norm(target.offsets, axis=1)
        influence[target.vertex_ids] = np.maximum(
            influence[target.vertex_ids], length / length.max()
        )
    return influence
