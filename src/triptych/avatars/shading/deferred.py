"""Compiled deferred shading: the colour and region of every sample of the z-buffer.

Under a statue material, skin, eyes, hair and cloth return their relief in white, which the material
then colours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.geometry.materials import (
    BEARD,
    BELOW_JAW,
    CLOTH,
    EAR,
    EYE,
    HAIR_CARDS,
    HAIR_SHELL,
    HORN,
    LASHES,
    LID,
    MOUTH_INSIDE,
    NOSE_MASK,
    SCALP,
    SKIN,
)
from triptych.avatars.shading.material_shading import material_colour, material_light
from triptych.avatars.shading.noise import layered_noise, step, value_noise
from triptych.avatars.shading.raster import STRAND_PHASE, STRANDS_PER_UV
from triptych.avatars.shading.skin_shading import skin_sample
from triptych.ops.kernel_cache import compiled

_CATCH_LIGHT = (0.16, 0.20)  # place on the unit eye ball
_IRIS_PHASE = 15.0
_TEETH = 65.0  # radians per decimetre; a tooth is half a turn
_CLOTH_PHASE = 4.5
_RIDGES = 60.0  # of a horn, radians from root to tip
_LASH_RGB = (0.020, 0.015, 0.012)


class Samples(NamedTuple):
    """What the z-buffer knows of every sample.

    Attributes:
        owner: Triangle of each sample [h, w], -1 where empty.
        bary_first: Weight of its first corner [h, w].
        bary_second: Weight of its second corner [h, w].
    """

    owner: NDArray[np.int32]
    bary_first: NDArray[np.float32]
    bary_second: NDArray[np.float32]


class Surface(NamedTuple):
    """The geometry and baked light that are shaded.

    Attributes:
        triangles: Vertex ids [m, 3].
        materials: Material of each triangle [m].
        triangle_regions: Region of each triangle [m]; skin derives its own per sample.
        rest: Rest position of each vertex [n, 3]; for eyes the direction in the gaze frame.
        irradiance: Light at each vertex [n, 3].
        highlight: Gloss light at each vertex [n].
        masks: Skin masks of the first vertices [k, 7].
        uv: Texture coordinates [n, 3]; for cloth the first is the number of the piece.
    """

    triangles: NDArray[np.int32]
    materials: NDArray[np.int32]
    triangle_regions: NDArray[np.uint8]
    rest: NDArray[np.float32]
    irradiance: NDArray[np.float32]
    highlight: NDArray[np.float32]
    masks: NDArray[np.float32]
    uv: NDArray[np.float32]


@compiled(fastmath=True)
def shade(samples, surface, appearance, colour, region):
    """Shade every covered sample.

    Args:
        samples: `Samples`.
        surface: `Surface`.
        appearance: `ShadeParams`.
        colour: Linear light [h, w, 3], written.
        region: Region [h, w], written.
    """
    height, width = samples.owner.shape
    for row in range(height):
        for column in range(width):
            triangle = samples.owner[row, column]
            if triangle < 0:
                continue
            p = samples.bary_first[row, column]
            q = samples.bary_second[row, column]
            red, green, blue, where = _sample(triangle, (p, q, 1 - p - q), surface, appearance)
            colour[row, column, 0] = red
            colour[row, column, 1] = green
            colour[row, column, 2] = blue
            region[row, column] = where


@compiled(fastmath=True, inline="always")
def _sample(triangle, weights, surface, appearance):
    """Return (red, green, blue, region) of a point of a triangle, in linear light."""
    corners = (
        surface.triangles[triangle, 0],
        surface.triangles[triangle, 1],
        surface.triangles[triangle, 2],
    )
    x, y, z = _interpolate3(surface.rest, corners, weights)
    light_red, light_green, light_blue = _interpolate3(surface.irradiance, corners, weights)
    a, b, c = corners
    p, q, r = weights
    shine = p * surface.highlight[a] + q * surface.highlight[b] + r * surface.highlight[c]
    material = surface.materials[triangle]
    where = surface.triangle_regions[triangle]
    glow = 0.0
    tint_red = tint_green = tint_blue = 1.0
    if material == SKIN:
        red, green, blue, gloss, where = _skin(x, y, z, corners, weights, surface, appearance)
    elif material == EYE:
        red, green, blue, glow = _eye(x, y, z, appearance)
        gloss = 0.0
        glow *= 0.25 + 0.75 * min(1.0, light_green)
    elif material == HAIR_CARDS or material == HAIR_SHELL:  # noqa: SIM109
        u = _interpolate(surface.uv, 0, corners, weights)
        v = _interpolate(surface.uv, 1, corners, weights)
        red, green, blue, gloss = _hair(u, v, appearance)
        tint_red, tint_green, tint_blue = _hair_tint(red, green, blue)
    elif material == CLOTH:
        red, green, blue, gloss = _cloth(x, y, z, int(surface.uv[a, 0]), appearance)
    elif material == LASHES:
        red, green, blue, gloss = _lash(appearance)
    elif material == HORN:
        along = _interpolate(surface.uv, 0, corners, weights)
        red, green, blue, gloss = _horn(along, appearance)
    else:
        red, green, blue, gloss = _tooth(x, appearance)
    if appearance.material.enabled:
        if material == EYE:  # eyes have directions, not places
            x, y, z = 0.15 * x, 0.15 * y, 0.15 * z
        own_red, own_green, own_blue = material_colour(x, y, z, light_green, appearance.material)
        red *= own_red
        green *= own_green
        blue *= own_blue
        light_red = material_light(light_red, appearance.material)
        light_green = material_light(light_green, appearance.material)
        light_blue = material_light(light_blue, appearance.material)
        tint_red, tint_green, tint_blue = _metal_tint(red, green, blue, appearance.material)
    return (
        red * light_red + shine * gloss * tint_red + glow,
        green * light_green + shine * gloss * tint_green + glow,
        blue * light_blue + shine * gloss * tint_blue + glow,
        where,
    )


@compiled(fastmath=True, inline="always")
def _interpolate(values, column, corners, weights):
    a, b, c = corners
    p, q, r = weights
    return p * values[a, column] + q * values[b, column] + r * values[c, column]


@compiled(fastmath=True, inline="always")
def _interpolate3(values, corners, weights):
    return (
        _interpolate(values, 0, corners, weights),
        _interpolate(values, 1, corners, weights),
        _interpolate(values, 2, corners, weights),
    )


@compiled(fastmath=True, inline="always")
def _skin(x, y, z, corners, weights, surface, appearance):
    """Return (red, green, blue, gloss, region); under a statue material a white relief."""
    return skin_sample(
        x,
        y,
        z,
        _interpolate(surface.masks, SCALP, corners, weights),
        _interpolate(surface.masks, LID, corners, weights),
        _interpolate(surface.masks, MOUTH_INSIDE, corners, weights),
        _interpolate(surface.masks, EAR, corners, weights),
        _interpolate(surface.masks, BEARD, corners, weights),
        _interpolate(surface.masks, NOSE_MASK, corners, weights),
        _interpolate(surface.masks, BELOW_JAW, corners, weights),
        appearance,
    )


@compiled(fastmath=True, inline="always")
def _hair_tint(red, green, blue):
    """Return the colour of hair's highlights: partly that of the strand."""
    brightest = max(red, max(green, blue)) + 1e-4
    return 0.4 + 0.6 * red / brightest, 0.4 + 0.6 * green / brightest, 0.4 + 0.6 * blue / brightest


@compiled(fastmath=True, inline="always")
def _metal_tint(red, green, blue, material):
    """Return the colour of a statue's highlights: that of the albedo as far as it is metallic."""
    dullest = material.metallic / (max(red, max(green, blue)) + 1e-4)
    white = 1 - material.metallic
    return white + dullest * red, white + dullest * green, white + dullest * blue


@compiled(fastmath=True, inline="always")
def _lash(appearance):
    """Return (red, green, blue, gloss) of lashes."""
    red, green, blue = _LASH_RGB
    if appearance.material.enabled:
        red = green = blue = 0.7
    return red, green, blue, 0.0


@compiled(fastmath=True, inline="always")
def _horn(along, appearance):
    """Return (red, green, blue, gloss) of a horn; `along` runs from 0 at the root to 1."""
    ridges = 0.85 + 0.3 * math.sin(_RIDGES * along)
    red = appearance.horn_rgb[0] * ridges
    green = appearance.horn_rgb[1] * ridges
    blue = appearance.horn_rgb[2] * ridges
    if appearance.material.enabled:
        red = green = blue = ridges
    return red, green, blue, 0.35


@compiled(fastmath=True, inline="always")
def _tooth(x, appearance):
    """Return (red, green, blue, gloss) of teeth: shaded at the corners of the mouth, with gaps."""
    tooth = 1 - 0.6 * step(0.08, 0.24, abs(x))
    tooth *= 0.88 + 0.12 * step(0.0, 0.35, abs(math.sin(x * _TEETH)))
    red = appearance.teeth_rgb[0] * tooth
    green = appearance.teeth_rgb[1] * tooth
    blue = appearance.teeth_rgb[2] * tooth
    if appearance.material.enabled:
        red = green = blue = 1.0
    return red, green, blue, 0.08


@compiled(fastmath=True)
def _eye(x, y, z, appearance):
    """Return (red, green, blue, catch light) at a direction of the eye ball."""
    eyes = appearance.eyes
    angle = math.atan2(math.hypot(x, y), z)
    if appearance.material.enabled:
        carved = 0.95
        if angle < eyes.iris_radius:
            carved *= 1 - 0.45 * step(eyes.iris_radius, 0.9 * eyes.iris_radius, angle)
        return carved, carved, carved, 0.0
    rim = step(0.5, 1.0, angle)
    veins = 0.256 * eyes.veins * rim * layered_noise(x * 9, y * 9, z * 9, 3)
    red = eyes.sclera_rgb[0] * (1 - 0.05 * rim)
    green = eyes.sclera_rgb[1] * (1 - veins)
    blue = eyes.sclera_rgb[2] * (1 - veins)
    radius = angle / eyes.iris_radius
    if radius < 1.06:
        around = math.atan2(y, x)
        fibres = 0.55 + 0.6 * layered_noise(around * 6, radius * 2.0, _IRIS_PHASE, 3)
        fibres += 0.3 * value_noise(around * 14, radius * 1.2, _IRIS_PHASE)
        fibres *= 1 + 0.55 * (1 - step(0.3, 0.75, radius))
        fibres *= 1 - 0.75 * step(0.78, 1.0, radius)
        to_pupil = radius
        if eyes.slit:
            to_pupil = math.hypot(x / 0.30, y / 1.6) / eyes.iris_radius
        pupil = 1 - step(eyes.pupil - 0.04, eyes.pupil + 0.03, to_pupil)
        cover = 1 - step(0.94, 1.06, radius)
        dark = 0.005 * pupil
        iris = fibres * (1 - pupil)
        red = red * (1 - cover) + (eyes.iris_rgb[0] * iris + dark) * cover
        green = green * (1 - cover) + (eyes.iris_rgb[1] * iris + dark) * cover
        blue = blue * (1 - cover) + (eyes.iris_rgb[2] * iris + dark) * cover
    glow = 0.0
    if z >= 0:
        right, up = _CATCH_LIGHT
        glow = 1 - step(0.075, 0.12, math.hypot(x - right, y - up))
        glow += 0.35 * (1 - step(0.05, 0.10, math.hypot(x + 1.1 * right, y + 0.7 * up)))
    return red, green, blue, 0.9 * eyes.catch_light * glow


@compiled(fastmath=True)
def _hair(u, v, appearance):
    """Return (red, green, blue, gloss) of a strand; v is 1 at the root."""
    strand = layered_noise(u * STRANDS_PER_UV, v * 3.0, STRAND_PHASE, 3)
    if appearance.material.enabled:
        cavity = 0.75 + 0.5 * strand
        return cavity, cavity, cavity, 0.7 * appearance.material.gloss
    lock = value_noise(u * STRANDS_PER_UV * 0.22, v * 1.5, STRAND_PHASE + 9)
    lightness = 0.30 + 0.95 * strand + 0.35 * lock
    hair = appearance.hair
    tip = hair.tip_tint * min(1.0, max(0.0, 1 - v))
    red = (hair.rgb[0] * (1 - tip) + hair.tip_rgb[0] * tip) * lightness
    green = (hair.rgb[1] * (1 - tip) + hair.tip_rgb[1] * tip) * lightness
    blue = (hair.rgb[2] * (1 - tip) + hair.tip_rgb[2] * tip) * lightness
    return red, green, blue, hair.gloss * (0.3 + 1.4 * strand)


@compiled(fastmath=True)
def _cloth(x, y, z, part, appearance):
    """Return (red, green, blue, gloss) of woven cloth; odd parts take the second colour."""
    weave = value_noise(x * 55, y * 55, z * 55)
    folds = layered_noise(x * 4 + _CLOTH_PHASE, y * 4, z * 4, 3) - 0.5
    shade_of_thread = 0.82 + 0.22 * weave + 0.22 * folds
    red, green, blue = (
        appearance.cloth.primary_rgb if part % 2 == 0 else appearance.cloth.secondary_rgb
    )
    gloss = appearance.cloth.gloss
    if appearance.material.enabled:
        red = green = blue = 1.0
        gloss = 0.5 * appearance.material.gloss
    return red * shade_of_thread, green * shade_of_thread, blue * shade_of_thread, gloss
