"""Compiled skin shading: every mark is a formula in rest space (decimetres).

Lips, brows, blush, stubble and wrinkles are defined in the space of the unmorphed base mesh and
follow every morph. x is used by its distance from the middle, y points up, z to the front.
"""

from __future__ import annotations

import math

from triptych.avatars.geometry.materials import BODY, BROWS, EARS, FACE, HAIR, MOUTH, NOSE
from triptych.avatars.shading.noise import bump, layered_noise, step, value_noise
from triptych.ops.kernel_cache import compiled

_PHASE = 16.0
_INNER_MOUTH_RGB = (0.22, 0.05, 0.05)
_TAU = 2.0 * math.pi


@compiled(fastmath=True)
def skin_sample(x, y, z, scalp, lid, mouth_inside, ear, beard, nose, below_jaw, appearance):
    """Return (red, green, blue, gloss, region) of skin at a rest point with its masks."""
    side = abs(x)
    front = step(0.6, 1.1, z)
    region = FACE
    if below_jaw > 0:
        region = BODY
    if z > 1.22 and 6.80 < y < 7.30 and nose > 0.33:
        region = NOSE
    if ear > 0.35:
        region = EARS
    skin = appearance.skin
    broad = layered_noise(x * 3 + _PHASE, y * 3, z * 3, 3) - 0.5
    middle = layered_noise(x * 14, y * 14, z * 14 + _PHASE, 3) - 0.5
    fine = value_noise(x * 60, y * 60, z * 60) - 0.5
    shade = 1 + 0.16 * broad + 0.14 * middle + 0.10 * fine * skin.mottle
    red = skin.rgb[0] * shade
    green = skin.rgb[1] * shade * (1 - 0.06 * broad)
    blue = skin.rgb[2] * shade * (1 - 0.10 * broad)

    red, green, blue = _blush(red, green, blue, side, y, front, middle, ear, skin)
    red, green, blue = _eye_surroundings(red, green, blue, side, y, front, skin)
    if skin.freckles > 0:
        spots = step(0.70, 0.80, value_noise(x * 26 + 3.7, y * 26 + _PHASE, z * 26))
        spots *= bump(side, y, 0.3, 7.0, 0.28, 0.17) * front * skin.freckles
        red *= 1 - 0.22 * spots
        green *= 1 - 0.38 * spots
        blue *= 1 - 0.45 * spots
    if skin.wrinkles > 0:
        red, green, blue = _wrinkles(red, green, blue, x, y, z, front, skin.wrinkles)
    if beard > 0.001:
        red, green, blue = _beard(red, green, blue, x, y, z, beard, appearance)
    gloss = skin.gloss * (0.55 + 0.45 * middle)

    lip = _lip_cover(x, side, y, z)
    if lip > 0:
        cover = lip * appearance.lips.strength * (1 + 0.2 * (value_noise(x * 40, y * 6, 3.3) - 0.5))
        red = red * (1 - cover) + appearance.lips.rgb[0] * cover
        green = green * (1 - cover) + appearance.lips.rgb[1] * cover
        blue = blue * (1 - cover) + appearance.lips.rgb[2] * cover
        gloss = gloss * (1 - lip) + appearance.lips.gloss * lip
        if lip > 0.5:
            region = MOUTH
    if mouth_inside > 0.5:
        red, green, blue = _INNER_MOUTH_RGB
        gloss = 0.0
        region = MOUTH
    if lid > 0:
        dark = skin.lid_line * lid
        red *= 1 - dark
        green *= 1 - dark
        blue *= 1 - dark
        gloss *= 1 - lid
    brow_edge, brow_cover = _brow_cover(side, y, z, appearance.brows)
    if brow_cover > 0:
        red = red * (1 - brow_cover) + appearance.brows.rgb[0] * brow_cover
        green = green * (1 - brow_cover) + appearance.brows.rgb[1] * brow_cover
        blue = blue * (1 - brow_cover) + appearance.brows.rgb[2] * brow_cover
        gloss *= 1 - brow_cover
        if brow_edge > 0.35 and appearance.brows.strength > 0.2:
            region = BROWS
    if scalp > 0.001 and appearance.hair.scalp_cover > 0:
        strand = layered_noise(x * 22, y * 10, z * 22 + _PHASE, 3)
        cover = appearance.hair.scalp_cover * step(0.30, 0.62, scalp + 0.55 * (strand - 0.5))
        lightness = 0.34 + 0.9 * strand
        red = red * (1 - cover) + appearance.hair.rgb[0] * lightness * cover
        green = green * (1 - cover) + appearance.hair.rgb[1] * lightness * cover
        blue = blue * (1 - cover) + appearance.hair.rgb[2] * lightness * cover
        gloss *= 1 - cover
        if cover > 0.5:
            region = HAIR
    if appearance.material.enabled:
        cavity = (1 + 0.5 * middle * appearance.material.cavity) * (
            1 - 0.25 * brow_cover - 0.08 * lip
        )
        red = green = blue = cavity
        gloss = appearance.material.gloss
    return red, green, blue, gloss, region


@compiled(fastmath=True)
def _blush(red, green, blue, side, y, front, middle, ear, skin):
    """Redden cheeks, nose tip, chin, brow bones and ears; yellow the forehead."""
    amount = bump(side, y, 0.42, 6.93, 0.20, 0.17) + 0.9 * bump(side, y, 0.0, 6.88, 0.12, 0.10)
    amount += 0.35 * bump(side, y, 0.0, 6.33, 0.2, 0.09)
    amount += 0.25 * bump(side, y, 0.3, 7.28, 0.2, 0.12)
    amount = skin.redness * (amount * front + 0.8 * ear) * (0.75 + 0.45 * (middle + 0.5))
    yellow = 0.5 * step(7.5, 7.9, y) * front
    red *= 1 + 0.10 * amount
    green *= 1 - 0.30 * amount
    blue *= (1 - 0.26 * amount) * (1 - 0.06 * yellow)
    return red, green, blue


@compiled(fastmath=True)
def _eye_surroundings(red, green, blue, side, y, front, skin):
    """Darken the sockets and apply eye shadow."""
    socket = bump(side, y, 0.30, 7.16, 0.17, 0.055) + 0.8 * bump(side, y, 0.17, 7.27, 0.06, 0.10)
    socket = skin.sockets * (socket + 0.5 * bump(side, y, 0.33, 7.42, 0.18, 0.06)) * front
    red *= 1 - min(0.9, 0.22 * socket)
    green *= 1 - min(0.9, 0.30 * socket)
    blue *= 1 - min(0.9, 0.24 * socket)
    if skin.eye_shadow > 0:
        cover = skin.eye_shadow * bump(side, y, 0.33, 7.41, 0.15, 0.055) * front
        red = red * (1 - cover) + skin.eye_shadow_rgb[0] * cover
        green = green * (1 - cover) + skin.eye_shadow_rgb[1] * cover
        blue = blue * (1 - cover) + skin.eye_shadow_rgb[2] * cover
    return red, green, blue


@compiled(fastmath=True)
def _wrinkles(red, green, blue, x, y, z, front, strength):
    """Draw forehead lines, crow's feet and age spots."""
    side = abs(x)
    wobble = 0.06 * (layered_noise(x * 2.2, _PHASE, y * 1.5, 2) - 0.5)
    line = max(0.0, math.sin((y + wobble - 0.12 * side * side) * _TAU / 0.105)) ** 4
    line *= step(7.62, 7.72, y) * (1 - step(8.0, 8.12, y)) * (1 - step(0.35, 0.6, side)) * front
    angle = math.atan2(y - 7.27, side - 0.47)
    distance = math.hypot(y - 7.27, side - 0.47)
    feet = max(0.0, math.sin(angle * 9 + 1.0)) ** 3
    feet *= step(0.03, 0.07, distance) * (1 - step(0.14, 0.22, distance))
    feet *= 1 - step(1.0, 1.2, abs(angle))
    dark = strength * (0.30 * line + 0.22 * feet)
    spots = step(0.74, 0.84, value_noise(x * 9 + 1.7, y * 9 + _PHASE, z * 9))
    spots *= strength * step(7.6, 8.0, y)
    red *= (1 - 0.9 * dark) * (1 - 0.12 * spots)
    green *= (1 - dark) * (1 - 0.20 * spots)
    blue *= (1 - dark) * (1 - 0.25 * spots)
    return red, green, blue


@compiled(fastmath=True)
def _beard(red, green, blue, x, y, z, mask, appearance):
    """Apply stubble and, over it, the strands of a beard."""
    hair = appearance.hair.beard_rgb
    cover = appearance.skin.stubble * mask * (0.35 + 0.65 * value_noise(x * 70, y * 70, z * 70))
    red = red * (1 - cover) + hair[0] * 0.9 * cover
    green = green * (1 - cover) + hair[1] * 0.9 * cover
    blue = blue * (1 - cover) + hair[2] * 0.95 * cover
    if appearance.beard > 0:
        strand = layered_noise(x * 45, y * 9, z * 45, 2)
        grown = min(1.0, 0.55 + 0.6 * appearance.beard)
        cover = grown * step(0.15, 0.75, mask + 0.7 * (strand - 0.5))
        lightness = 0.55 + 0.9 * strand
        red = red * (1 - cover) + hair[0] * lightness * cover
        green = green * (1 - cover) + hair[1] * lightness * cover
        blue = blue * (1 - cover) + hair[2] * lightness * cover
    return red, green, blue


@compiled(fastmath=True)
def _lip_cover(x, side, y, z):
    """Return how much a point belongs to the lips, 0..1."""
    if z <= 1.2 or side >= 0.30 or y <= 6.45 or y >= 6.75:
        return 0.0
    across = side / 0.262
    upper = 6.607 + 0.088 * max(0.0, 1 - across**2.1)
    upper += 0.006 * math.exp(-(((side - 0.07) / 0.04) ** 2)) - 0.014 * math.exp(
        -((x / 0.028) ** 2)
    )
    lower = 6.607 - 0.112 * max(0.0, 1 - across**2.4)
    return step(-0.010, 0.014, min(upper - y, y - lower))


@compiled(fastmath=True)
def _brow_cover(side, y, z, brow):
    """Return (edge, cover) of the brow, both 0..1."""
    if z <= 0.9 or side <= 0.06 or side >= 0.68 or y <= 7.3 or y >= 8.0:
        return 0.0, 0.0
    along = (side - brow.inner) / (brow.outer - brow.inner)
    centre = brow.height + brow.slope * along - brow.arch * (along - 0.62) * (along - 0.62)
    half = brow.half_width * (0.55 + 0.45 * step(-0.02, 0.25, along))
    half *= 1 - 0.80 * step(0.45, 1.0, along)
    strand = layered_noise(
        (side - 0.6 * (y - centre)) * 80, (y - centre) * 12 + _PHASE, side * 6, 2
    )
    edge = 1 - step(0.45, 1.1, abs((y - centre) / half) + 0.45 * (0.5 - strand))
    edge *= step(-0.10, 0.10, along + 0.12 * (strand - 0.5)) * (1 - step(0.93, 1.06, along))
    return edge, min(1.0, brow.strength * edge * (0.74 + 0.36 * strand))
