"""Styles that keep a person human: age, hair, beard, skin, expression and make-up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.avatars.people.appearance import (
    Appearance,
    LipAppearance,
    Rgb,
    brow_rgb,
    hair_appearance,
    linear_rgb,
    skin_rgb,
)
from triptych.avatars.people.identity import Identity
from triptych.avatars.styles.adjustments import blend, shifted
from triptych.avatars.styles.style import Style, Transform

_HAIR_COLOURS: dict[str, Rgb] = {
    "red hair": linear_rgb(196, 62, 18),
    "blond hair": linear_rgb(238, 204, 116),
    "black hair": linear_rgb(14, 13, 15),
    "white hair": linear_rgb(236, 236, 234),
    "blue hair": linear_rgb(28, 92, 226),
    "pink hair": linear_rgb(246, 84, 160),
}
_NATURAL = frozenset({"red hair", "blond hair", "black hair", "white hair"})


def people_styles() -> list[Style]:
    """Return every change of a person."""
    fixed = [
        Style("old", "people", _old, aspects=frozenset({"age", "hair colour"})),
        Style("child", "people", _child, aspects=frozenset({"age", "beard"})),
        Style("beard", "people", _beard, aspects=frozenset({"beard"})),
        Style("long hair", "people", _long_hair, aspects=frozenset({"hair"})),
        Style("curly hair", "people", _haircut("curls"), aspects=frozenset({"hair"})),
        Style("afro", "people", _haircut("afro"), aspects=frozenset({"hair"})),
        Style("bald", "people", _bald, aspects=frozenset({"hair", "hair colour"})),
        Style("pale", "people", _pale, aspects=frozenset({"skin colour"})),
        Style("tanned", "people", _tanned, aspects=frozenset({"skin colour"})),
        Style("smiling", "people", _smiling, aspects=frozenset({"expression"})),
        Style("make-up", "people", _make_up, aspects=frozenset({"lip colour"})),
    ]
    dyed = [
        Style(
            name, "people", _dyed(rgb, natural=name in _NATURAL), aspects=frozenset({"hair colour"})
        )
        for name, rgb in _HAIR_COLOURS.items()
    ]
    return fixed + dyed


def _old(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Deep wrinkles, hollow eyes, heavy nose and ears, white hair."""
    shape = shifted(
        identity,
        {
            "head/head-age": 1.0,
            "eyes/eye-bag": 1.1,
            "eyes/eye-eyefold": -0.8,
            "eyes/eye-scale": -0.45,
            "cheek/cheek-volume": -0.9,
            "cheek/cheek-trans": -0.7,
            "mouth/mouth-laugh-lines": 1.0,
            "mouth/mouth-upperlip-volume": -0.8,
            "mouth/mouth-lowerlip-volume": -0.7,
            "nose/nose-volume": 0.5,
            "nose/nose-scale-vert": 0.5,
            "ears/ear-scale": 0.7,
            "neck/neck-double": 0.8,
        },
    )
    skin = replace(
        appearance.skin,
        wrinkles=1.0,
        sockets=appearance.skin.sockets + 1.0,
        mottle=2.0,
        stubble=0.0,
        eye_shadow=0.0,
        lid_line=0.35,
    )
    lips = LipAppearance(
        rgb=blend(appearance.lips.rgb, appearance.skin.rgb, 0.55), strength=0.6, gloss=0.06
    )
    appearance = replace(appearance, skin=skin, lips=lips)
    identity = replace(shape, age=1.0, lashes=False, smile=0.6 * identity.smile)
    return identity, _with_hair_colour(appearance, linear_rgb(214, 212, 208))


def _child(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Round face, big eyes, tiny nose and chin, rosy smooth skin."""
    shape = shifted(
        identity,
        {
            "eyes/eye-scale": 0.75,
            "cheek/cheek-volume": 0.25,
            "nose/nose-point": 0.5,
            "mouth/mouth-scale-horiz": -0.3,
            "mouth/mouth-scale-depth": -0.5,
            "forehead/forehead-scale-vert": 0.5,
            "forehead/forehead-nubian": -0.3,
            "neck/neck-scale-horiz": -0.8,
        },
    )
    hair_style = "short03" if shape.hair_style == "bald" else shape.hair_style
    identity = replace(
        shape,
        hair_style=hair_style,
        age=0.15,
        beard=0.0,
        muscle=0.4,
        weight=0.45,
        smile=max(identity.smile, 0.4),
    )
    skin = replace(
        appearance.skin,
        wrinkles=0.0,
        stubble=0.0,
        sockets=0.1,
        mottle=0.3,
        redness=0.95,
        eye_shadow=0.0,
    )
    lips = replace(
        appearance.lips, rgb=blend(appearance.skin.rgb, (0.55, 0.12, 0.13), 0.45), strength=0.8
    )
    brows = replace(appearance.brows, strength=0.55, half_width=0.026)
    eyes = replace(appearance.eyes, iris_radius=0.56)
    return identity, replace(appearance, skin=skin, lips=lips, brows=brows, eyes=eyes)


def _beard(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """A full dark beard in the colour of the hair."""
    colour = np.asarray(appearance.hair.rgb)
    beard = tuple(float(channel) for channel in 0.75 * colour)
    hair = replace(appearance.hair, beard_rgb=(beard[0], beard[1], beard[2]))
    skin = replace(appearance.skin, stubble=0.6)
    return replace(identity, beard=1.0, goatee=0.0), replace(appearance, hair=hair, skin=skin)


def _long_hair(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Hair over the shoulders."""
    style = "long_wavy" if identity.hair_style == "long01" else "long01"
    grown = replace(
        identity,
        hair_style=style,
        hair_length=1.1,
        hair_volume=max(identity.hair_volume, 0.05),
        hair_wave=max(identity.hair_wave, 0.35),
    )
    return grown, _with_scalp(appearance)


def _haircut(style: str) -> Transform:
    def transform(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        return replace(identity, hair_style=style), _with_scalp(appearance)

    return transform


def _bald(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """No hair at all, a shining skull."""
    hair = replace(appearance.hair, scalp_cover=0.0)
    skin = replace(appearance.skin, gloss=max(appearance.skin.gloss, 0.15))
    return replace(identity, hair_style="bald"), replace(appearance, hair=hair, skin=skin)


def _pale(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Milk-white skin without blush."""
    skin = replace(appearance.skin, rgb=(0.86, 0.76, 0.71), redness=0.1, freckles=0.0, sockets=0.7)
    lips = replace(appearance.lips, rgb=blend(appearance.lips.rgb, (0.74, 0.52, 0.50), 0.6))
    return identity, replace(appearance, skin=skin, lips=lips)


def _tanned(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Deep orange-brown skin with a shine, two tones darker than light skin ever gets."""
    tone = np.asarray(skin_rgb(5.6)) * np.array([1.10, 0.86, 0.62])
    mixed = blend(appearance.skin.rgb, (float(tone[0]), float(tone[1]), float(tone[2])), 0.9)
    skin = replace(appearance.skin, rgb=mixed, redness=0.55, gloss=0.2)
    lips = replace(appearance.lips, rgb=blend(appearance.lips.rgb, (0.30, 0.10, 0.07), 0.6))
    return identity, replace(appearance, skin=skin, lips=lips)


def _smiling(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """A broad laugh that shows the upper teeth, raised cheeks, narrowed eyes."""
    expressions = {
        **identity.expressions,
        "mouth-retraction": 0.2,
    }
    shape = shifted(
        identity,
        {"cheek/cheek-volume": 0.5, "mouth/mouth-laugh-lines": 0.7, "mouth/mouth-dimples": 0.6},
    )
    merry = replace(
        shape, smile=1.3, mouth_open=0.42, brow_raise=0.35, lids_open=0.0, expressions=expressions
    )
    return merry, replace(appearance, teeth_rgb=(0.86, 0.83, 0.77))


def _make_up(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Glossy red lips, heavy blue-violet eye shadow, strong lash lines, rouge."""
    skin = replace(
        appearance.skin,
        eye_shadow=1.0,
        eye_shadow_rgb=(0.10, 0.045, 0.36),
        lid_line=1.0,
        redness=appearance.skin.redness + 0.6,
        sockets=0.0,
        stubble=0.0,
    )
    lips = LipAppearance(rgb=(0.52, 0.005, 0.045), strength=1.1, gloss=0.45)
    brows = replace(
        appearance.brows, strength=1.1, rgb=blend(appearance.brows.rgb, (0.02, 0.012, 0.01), 0.6)
    )
    return replace(identity, lashes=True), replace(appearance, skin=skin, lips=lips, brows=brows)


def _dyed(rgb: Rgb, *, natural: bool) -> Transform:
    def transform(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
        if identity.hair_style in ("bald", "buzz"):
            identity = replace(identity, hair_style="short02" if identity.gender > 0.5 else "bob01")
        return identity, _with_hair_colour(_with_scalp(appearance), rgb, brows_too=natural)

    return transform


def _with_hair_colour(appearance: Appearance, rgb: Rgb, *, brows_too: bool = True) -> Appearance:
    hair = hair_appearance(rgb, scalp_cover=appearance.hair.scalp_cover)
    brows = replace(appearance.brows, rgb=brow_rgb(rgb)) if brows_too else appearance.brows
    return replace(appearance, hair=hair, brows=brows)


def _with_scalp(appearance: Appearance) -> Appearance:
    """Colour the scalp below grown hair, which bald and shorn heads leave bare."""
    return replace(
        appearance,
        hair=replace(appearance.hair, scalp_cover=max(appearance.hair.scalp_cover, 0.85)),
    )
