"""Styles that make the whole bust of one material: metals, stones, wood, ice and plain colours."""

from __future__ import annotations

from dataclasses import replace

from triptych.avatars.people.appearance import Appearance, MaterialAppearance, Rgb
from triptych.avatars.people.identity import Identity
from triptych.avatars.styles.style import ALL_COLOURS, Style, Transform

_MATERIALS: dict[str, MaterialAppearance] = {
    "bronze": MaterialAppearance(
        rgb=(0.25, 0.125, 0.04),
        cavity=0.5,
        gloss=1.2,
        metallic=0.7,
        patina=0.75,
        accent_rgb=(0.06, 0.20, 0.15),
    ),
    "marble": MaterialAppearance(
        rgb=(0.80, 0.785, 0.755), cavity=0.08, gloss=0.25, veins=0.75, accent_rgb=(0.30, 0.31, 0.36)
    ),
    "gold": MaterialAppearance(
        rgb=(0.56, 0.29, 0.02),
        cavity=0.3,
        gloss=1.5,
        metallic=1.0,
        patina=0.8,
        accent_rgb=(0.20, 0.07, 0.006),
    ),
    "silver": MaterialAppearance(
        rgb=(0.30, 0.31, 0.33),
        cavity=0.25,
        gloss=1.5,
        metallic=0.8,
        patina=0.8,
        accent_rgb=(0.03, 0.03, 0.04),
    ),
    "copper": MaterialAppearance(
        rgb=(0.55, 0.17, 0.075),
        cavity=0.3,
        gloss=1.4,
        metallic=0.8,
        patina=0.4,
        accent_rgb=(0.12, 0.02, 0.01),
    ),
    "jade": MaterialAppearance(
        rgb=(0.16, 0.42, 0.22),
        cavity=0.1,
        gloss=0.6,
        clouds=0.8,
        accent_rgb=(0.48, 0.68, 0.46),
        glow=0.25,
    ),
    "clay": MaterialAppearance(rgb=(0.50, 0.36, 0.24), cavity=0.7, gloss=0.03),
    "terracotta": MaterialAppearance(
        rgb=(0.56, 0.20, 0.09), cavity=0.5, gloss=0.03, clouds=0.4, accent_rgb=(0.62, 0.34, 0.20)
    ),
    "wood": MaterialAppearance(
        rgb=(0.42, 0.20, 0.075), cavity=0.15, gloss=0.15, rings=0.9, accent_rgb=(0.13, 0.045, 0.012)
    ),
    "ice": MaterialAppearance(
        rgb=(0.22, 0.52, 0.78),
        cavity=0.1,
        gloss=0.9,
        clouds=0.6,
        accent_rgb=(0.62, 0.86, 0.97),
        glow=0.4,
    ),
    "obsidian": MaterialAppearance(rgb=(0.008, 0.008, 0.011), cavity=0.1, gloss=0.55),
    "granite": MaterialAppearance(
        rgb=(0.24, 0.235, 0.23),
        cavity=0.2,
        gloss=0.05,
        speckles=0.4,
        accent_rgb=(0.05, 0.05, 0.055),
    ),
}
_TAKES_COLOUR = frozenset({"marble", "clay", "wood", "ice", "granite"})

_STONE_COLOURS: dict[str, Rgb] = {
    "red": (0.50, 0.022, 0.022),
    "green": (0.045, 0.30, 0.06),
    "blue": (0.030, 0.085, 0.50),
    "yellow": (0.78, 0.58, 0.03),
    "purple": (0.20, 0.04, 0.40),
    "orange": (0.76, 0.24, 0.02),
    "pink": (0.80, 0.25, 0.42),
    "turquoise": (0.03, 0.42, 0.42),
}


def material_styles() -> list[Style]:
    """Return every material, then the plain stone colours."""
    materials = [
        Style(
            name=name,
            kind="material",
            transform=_made_of(material),
            aspects=ALL_COLOURS,
            takes_colour=name in _TAKES_COLOUR,
        )
        for name, material in _MATERIALS.items()
    ]
    colours = [
        Style(
            name=f"{name} stone",
            kind="material",
            transform=_in_colour(rgb),
            aspects=ALL_COLOURS,
            is_colour=True,
        )
        for name, rgb in _STONE_COLOURS.items()
    ]
    return materials + colours


def _made_of(material: MaterialAppearance) -> Transform:
    def transform(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        return replace(identity, lashes=False), replace(appearance, material=material)

    return transform


def _in_colour(rgb: Rgb) -> Transform:
    """Colour the material a head already has, else make it plain polished stone."""

    def transform(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        base = appearance.material or MaterialAppearance(rgb=rgb, cavity=0.15, gloss=0.35)
        is_pale = base.clouds > 0.0 or base.veins > 0.0
        accent = _towards_white(rgb, 0.55) if is_pale else _darker(rgb)
        material = replace(base, rgb=rgb, accent_rgb=accent)
        return replace(identity, lashes=False), replace(appearance, material=material)

    return transform


def _darker(rgb: Rgb) -> Rgb:
    return (0.3 * rgb[0], 0.3 * rgb[1], 0.3 * rgb[2])


def _towards_white(rgb: Rgb, share: float) -> Rgb:
    red, green, blue = (channel + share * (1.0 - channel) for channel in rgb)
    return (red, green, blue)
