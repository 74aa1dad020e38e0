"""View-independent light: a fixed set-up of sky, key, fill and rims baked into the vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.geometry.mesh import compact, spread_to_vertices, unit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NUM_DIRECTIONS = 48
_MAP_SIZE = 176
_MAP_EXTENT = 0.72  # world units from the middle to the border of a shadow map
_BIAS = 0.006
_EXPOSURE = 1.02  # light on a frontal normal
_KEY_STRENGTH = 2.0


def sphere_directions(count: int) -> FloatArray:
    """Return `count` evenly spread unit directions [count, 3] (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1.0 - 2.0 * index / count), np.pi * (1.0 + 5.0**0.5) * index
    return np.stack(
        [np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], axis=1
    )


@dataclass(frozen=True, eq=False)
class Lighting:
    """Directions [k, 3] with their radiance [k, 3], and the key and fill directions [3]."""

    directions: FloatArray
    radiance: FloatArray
    key: FloatArray
    fill: FloatArray


def studio_lighting() -> Lighting:
    """Return the one fixed light: soft sky, key from the upper left of the picture's right."""
    directions = sphere_directions(NUM_DIRECTIONS)
    key, fill = unit(np.array([0.5, 0.5, 0.8])), unit(np.array([-0.8, 0.05, 0.6]))
    rim = unit(np.array([-0.75, 0.45, -0.6]))
    other_rim = rim * np.array([-1.0, 1.0, 1.0])
    height = directions[:, 1]
    ambient = np.where(height > 0.0, 0.62 + 0.25 * height, 0.50 + 0.12 * height)
    radiance = (
        ambient[:, None] * np.array([1.0, 1.0, 1.03])
        + _lobe(directions, key, 7.0, _KEY_STRENGTH, (1.04, 1.0, 0.95))
        + _lobe(directions, fill, 3.0, 0.55, (0.96, 1.0, 1.05))
        + _lobe(directions, rim, 7.0, 0.9, (0.97, 1.0, 1.05))
        + _lobe(directions, other_rim, 7.0, 0.5, (1.0, 1.0, 1.0))
    )
    frontal = np.array([[0.0, 0.0, 1.0], [0.5, 0.0, 0.86], [-0.5, 0.0, 0.86], [0.0, 0.5, 0.86]])
    received = np.maximum(0.0, frontal @ directions.T) @ radiance
    return Lighting(directions, radiance * (_EXPOSURE / received.mean()), key, fill)


def even_lighting() -> Lighting:
    """Return the same light from everywhere, for ambient occlusion alone."""
    directions = sphere_directions(NUM_DIRECTIONS)
    front = np.array([0.0, 0.0, 1.0])
    return Lighting(directions, np.ones((NUM_DIRECTIONS, 3)), front, front)


@dataclass(frozen=True, eq=False)
class Occluders:
    """Shadow casters: positions [n, 3] and triangles [m, 3] of each.

    Attributes:
        casters: Casters for all receivers.
        cloth: Casters that do not shade the receivers in `bare`.
    """

    casters: tuple[tuple[FloatArray, IntArray], ...]
    cloth: tuple[tuple[FloatArray, IntArray], ...] = ()


@dataclass(frozen=True, eq=False)
class BakedLight:
    """Light per vertex.

    Attributes:
        irradiance: [n, 3].
        openness: Unoccluded share of the hemisphere [n], about 0..1.
        bare_irradiance: Irradiance without the garment's shadow, of the vertices asked for.
    """

    irradiance: FloatArray
    openness: FloatArray
    bare_irradiance: FloatArray


def bake(
    occluders: Occluders,
    positions: FloatArray,
    normals: FloatArray,
    wrap: FloatArray,
    lighting: Lighting,
    *,
    bare: IntArray | None = None,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    extent: float = _MAP_EXTENT,
    bias: float = _BIAS,
) -> BakedLight:
    """Sum the light of all directions with soft shadows.

    Args:
        occluders: Shadow casters.
        positions: Receivers [n, 3].
        normals: Their normals [n, 3].
        wrap: How far light wraps around the horizon per channel [n, 3]: a cheap subsurface effect.
        lighting: Directions and radiance.
        bare: Receivers [k] that are also lit without the garment's shadow.
        centre: Middle of the shadow maps.
        extent: Half side of the shadow maps.
        bias: Depth tolerance, and lift of the receivers along their normals.
    """
    from triptych.avatars.shading.raster import gather_light, rasterise_towards

    origin = np.array(centre)
    casters = [_caster(*caster, origin) for caster in occluders.casters]
    cloth = [_caster(*caster, origin) for caster in occluders.cloth]
    receivers = np.ascontiguousarray(positions + normals * bias - origin, dtype=np.float32)
    facing = np.ascontiguousarray(normals, dtype=np.float32)
    wrap = np.ascontiguousarray(wrap, dtype=np.float32)
    irradiance, openness = np.zeros((len(positions), 3)), np.zeros(len(positions))
    chosen = np.zeros(0, np.int64) if bare is None else bare
    bare_receivers, bare_facing, bare_wrap = receivers[chosen], facing[chosen], wrap[chosen]
    bare_irradiance, bare_openness = np.zeros((len(chosen), 3)), np.zeros(len(chosen))
    per_unit = _MAP_SIZE / (2.0 * extent)
    for direction, radiance in zip(lighting.directions, lighting.radiance, strict=True):
        axes = _frame(direction).astype(np.float32)
        heights = np.full((_MAP_SIZE, _MAP_SIZE), -1e9, np.float32)
        for caster in casters:
            rasterise_towards(*caster, axes, per_unit, heights)
        if len(chosen):
            gather_light(
                bare_receivers, bare_facing, axes, per_unit, heights, bias, bare_wrap, radiance,
                bare_irradiance, bare_openness,
            )  # fmt: skip
        for caster in cloth:
            rasterise_towards(*caster, axes, per_unit, heights)
        gather_light(
            receivers, facing, axes, per_unit, heights, bias, wrap, radiance, irradiance, openness
        )
    return BakedLight(irradiance, openness * (4.0 / len(lighting.directions)), bare_irradiance)


def surface_highlight(normals: FloatArray, openness: FloatArray, lighting: Lighting) -> FloatArray:
    """Return the gloss light [n] for a viewer in front: it stays the same from every side."""
    viewer = np.array([0.0, 0.05, 1.0])
    half_key, half_fill = unit(lighting.key + viewer), unit(lighting.fill + viewer)
    towards_key = np.maximum(0.0, normals @ half_key)
    light = towards_key**26 + 0.22 * towards_key**8
    light += 0.35 * np.maximum(0.0, normals @ half_fill) ** 20
    light += 0.25 * np.maximum(0.0, normals @ np.array([0.0, 0.75, 0.66])) ** 14
    return light * np.clip(1.1 * openness, 0.0, 1.0) ** 1.5


def strand_highlight(
    positions: FloatArray,
    triangles: IntArray,
    uv: FloatArray,
    openness: FloatArray,
    lighting: Lighting,
) -> FloatArray:
    """Return the gloss light [n] of hair from its strand direction (along texture v).

    Reference: Kajiya & Kay 1989, "Rendering fur with three dimensional textures".
    """
    corner, coordinate = positions[triangles], uv[triangles]
    edge1, edge2 = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    turn1, turn2 = coordinate[:, 1] - coordinate[:, 0], coordinate[:, 2] - coordinate[:, 0]
    area = turn1[:, 0] * turn2[:, 1] - turn1[:, 1] * turn2[:, 0]
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    along = unit((edge2 * turn1[:, :1] - edge1 * turn2[:, :1]) / area[:, None])
    strand = unit(spread_to_vertices(along, triangles, len(positions)))
    half_key = unit(lighting.key + np.array([0.0, 0.05, 1.0]))
    from_key = np.sqrt(np.clip(1.0 - (strand @ half_key) ** 2, 0.0, 1.0))
    from_top = np.sqrt(np.clip(1.0 - (strand @ np.array([0.0, 0.8, 0.6])) ** 2, 0.0, 1.0))
    return (0.8 * from_key**40 + 0.5 * from_top**30) * np.clip(openness, 0.0, 1.0)


def _caster(
    positions: FloatArray, triangles: IntArray, origin: FloatArray
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    used, renumbered = compact(triangles, len(positions))
    return (
        np.ascontiguousarray(positions[used] - origin, dtype=np.float32),
        np.ascontiguousarray(renumbered, dtype=np.int32),
    )


def _lobe(
    directions: FloatArray,
    towards: FloatArray,
    sharpness: float,
    strength: float,
    tint: tuple[float, float, float],
) -> FloatArray:
    glow = strength * np.exp(sharpness * (directions @ towards - 1.0))
    return glow[:, None] * np.array(tint)


def _frame(direction: FloatArray) -> FloatArray:
    """Return orthonormal rows: two axes across the direction, and the direction."""
    aside = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    across = unit(np.cross(aside, direction))
    return np.stack([across, np.cross(direction, across), direction])
