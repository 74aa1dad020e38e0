"""Compiled statue materials: stone, metal, wood and ice over every part of a bust."""

from __future__ import annotations

import math

from triptych.avatars.shading.noise import layered_noise, step, value_noise
from triptych.ops.kernel_cache import compiled

_PATCHES_PER_DM = 2.2
_VEINS_PER_DM = 2.0
_RINGS_PER_DM = 4.5
_GRAINS_PER_DM = 17.0


@compiled(fastmath=True)
def material_light(light, material):
    """Deepen the shadows of metallic and fill those of glowing materials."""
    deep = light ** (1 + 0.7 * material.metallic)
    return deep * (1 - 0.45 * material.glow) + 0.45 * material.glow * (0.55 + 0.5 * light)


@compiled(fastmath=True)
def material_colour(x, y, z, light, material):
    """Return (red, green, blue) of the material at a rest point.

    Args:
        x: Rest position, decimetres.
        y: Rest position.
        z: Rest position.
        light: Irradiance at the point, which distinguishes hollows from ridges.
        material: `MaterialParams`.
    """
    accent = 0.0
    relief = 1.0
    if material.clouds > 0:
        patch = layered_noise(x * _PATCHES_PER_DM + 4, y * _PATCHES_PER_DM, z * _PATCHES_PER_DM, 3)
        accent = material.clouds * step(0.35, 0.68, patch)
    if material.veins > 0:
        broad = layered_noise(x * _VEINS_PER_DM, y * _VEINS_PER_DM + 3, z * _VEINS_PER_DM, 3)
        fine = layered_noise(x * 6.0 + 9, y * 6.0, z * 6.0, 2)
        line = 1 - step(0.0, 0.045, abs(broad - 0.5 + 0.10 * (fine - 0.5)))
        accent = max(accent, material.veins * line * (0.35 + 0.65 * fine))
    if material.rings > 0:
        wobble = layered_noise(x * 1.5, y * 0.5, z * 1.5, 2)
        ring = math.hypot(x - 1.1, z + 0.4) * _RINGS_PER_DM + 1.6 * wobble + 0.25 * y
        ring -= math.floor(ring)
        fibre = 0.8 + 0.4 * value_noise(x * 30, y * 3, z * 30)
        accent = max(accent, material.rings * step(0.15, 0.85, ring) * step(1.0, 0.9, ring) * fibre)
    if material.speckles > 0:
        grain = value_noise(x * _GRAINS_PER_DM, y * _GRAINS_PER_DM, z * _GRAINS_PER_DM)
        accent = max(accent, material.speckles * step(0.55, 0.68, grain))
        relief *= 1 + 0.9 * material.speckles * step(0.35, 0.22, grain)
    if material.patina > 0:
        crust = layered_noise(x * 5, y * 5, z * 5 + 2, 3)
        hollow = 1 - step(0.20, 0.85, light + 0.35 * (crust - 0.5))
        accent = max(accent, material.patina * hollow)
    accent = min(1.0, accent)
    red = (material.rgb[0] * (1 - accent) + material.accent_rgb[0] * accent) * relief
    green = (material.rgb[1] * (1 - accent) + material.accent_rgb[1] * accent) * relief
    blue = (material.rgb[2] * (1 - accent) + material.accent_rgb[2] * accent) * relief
    return red, green, blue
