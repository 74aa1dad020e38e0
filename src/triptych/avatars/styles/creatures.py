"""Styles that turn a person into a creature with a human face: zombie, elf, ghost and others."""

from __future__ import annotations

from dataclasses import replace

from triptych.avatars.people.appearance import (
    Appearance,
    ClothAppearance,
    EyeAppearance,
    LipAppearance,
    Rgb,
    SkinAppearance,
    hair_appearance,
)
from triptych.avatars.people.identity import Identity
from triptych.avatars.styles.adjustments import black_brows, dyed, scaled, shifted
from triptych.avatars.styles.style import Style

_SKIN = frozenset({"skin colour", "lip colour"})
# Hair that would hide or, being bound to the head, be dragged along by large ears.
_COVERS_EARS = frozenset({"afro", "curls", "bob01", "bob02", "long01", "long_wavy", "braid01"})


def creature_styles() -> list[Style]:
    """Return the creatures that keep a human face."""
    return [
        Style("zombie", "creature", _zombie, aspects=_SKIN),
        Style("elf", "creature", _elf),
        Style("vampire", "creature", _vampire, aspects=_SKIN),
        Style("ghost", "creature", _ghost, aspects=_SKIN | {"hair colour"}),
        Style("android", "creature", _android, aspects=_SKIN | {"hair", "hair colour", "beard"}),
    ]


def _zombie(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Rotting grey-green skin, sunken black sockets, milky eyes, slack open mouth, ragged dress."""
    shape = shifted(
        identity,
        {
            "cheek/cheek-volume": -1.2,
            "cheek/cheek-inner": -0.8,
            "cheek/cheek-bones": 0.9,
            "eyes/eye-bag": 0.9,
            "head/head-fat": -0.7,
            "mouth/mouth-angles": -0.7,
        },
    )
    identity = replace(
        shape, smile=0.0, mouth_open=0.75, brow_raise=-0.5, lashes=False, lids_open=0.1
    )
    skin = replace(
        appearance.skin,
        rgb=(0.175, 0.235, 0.105),
        redness=-0.6,
        sockets=3.0,
        mottle=2.6,
        freckles=0.7,
        wrinkles=0.7,
        gloss=0.05,
        eye_shadow=0.5,
        eye_shadow_rgb=(0.06, 0.025, 0.05),
    )
    eyes = EyeAppearance(
        iris_rgb=(0.62, 0.64, 0.50),
        sclera_rgb=(0.62, 0.60, 0.42),
        iris_radius=0.36,
        pupil=0.22,
        veins=2.5,
        catch_light=0.3,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.07, 0.05, 0.05), strength=0.95, gloss=0.04),
        hair=dyed(appearance, scaled(appearance.hair.rgb, 0.45)),
        eyes=eyes,
        cloth=ClothAppearance(
            scaled(appearance.cloth.primary_rgb, 0.3), scaled(appearance.cloth.secondary_rgb, 0.3)
        ),
        teeth_rgb=(0.42, 0.36, 0.16),
    )


def _elf(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Long pointed ears, slanted green eyes, fine chin, silver-gold hair, green cloth."""
    shape = shifted(
        identity,
        {
            "ears/ear-scale": 1.7,
            "ears/ear-wing": 1.3,
            "ears/ear-scale-vert": 1.3,
            "ears/ear-scale-depth": 0.3,
            "chin/chin-width": -0.7,
            "chin/chin-triangle": 0.5,
            "cheek/cheek-bones": 0.7,
            "cheek/cheek-volume": -0.3,
            "eyes/eye-scale": 0.45,
            "eyes/eye-corner2": 0.9,
            "eyes/eye-trans": 0.1,
            "nose/nose-width1": -0.4,
            "eyebrows/eyebrows-angle": 0.6,
        },
    ).with_ear_shapes({"pointed": 2.2})
    hair_style = identity.hair_style
    if hair_style in _COVERS_EARS:
        hair_style = "ponytail01" if identity.gender < 0.5 else "slick"
    identity = replace(shape, beard=0.0, mouth_open=0.0, brow_raise=0.25, hair_style=hair_style)
    hair = hair_appearance((0.74, 0.60, 0.34))
    return identity, replace(
        appearance,
        skin=replace(
            appearance.skin, stubble=0.0, redness=0.35, wrinkles=0.0, gloss=0.14, sockets=0.2
        ),
        hair=hair,
        brows=replace(appearance.brows, rgb=(0.36, 0.25, 0.11), slope=0.05, arch=0.14),
        eyes=EyeAppearance(iris_rgb=(0.10, 0.62, 0.20), iris_radius=0.53),
        cloth=ClothAppearance((0.018, 0.11, 0.035), (0.30, 0.22, 0.06)),
    )


def _vampire(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Chalk skin, black slicked hair, red eyes with dark rims, blood-red lips, black dress."""
    shape = shifted(
        identity,
        {
            "cheek/cheek-bones": 0.9,
            "cheek/cheek-volume": -0.7,
            "ears/ear-scale-vert": 0.4,
            "eyebrows/eyebrows-angle": 0.8,
        },
    ).with_ear_shapes({"pointed": 0.8})
    identity = replace(shape, smile=0.15, mouth_open=0.0, brow_raise=-0.2, fangs=1.0)
    skin = replace(
        appearance.skin,
        rgb=(0.80, 0.77, 0.79),
        redness=0.0,
        sockets=1.8,
        freckles=0.0,
        stubble=0.0,
        eye_shadow=0.85,
        eye_shadow_rgb=(0.14, 0.02, 0.05),
        lid_line=0.9,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.34, 0.006, 0.02), strength=1.0, gloss=0.3),
        brows=black_brows(appearance.brows),
        hair=dyed(appearance, (0.010, 0.009, 0.011)),
        eyes=EyeAppearance(
            iris_rgb=(0.95, 0.03, 0.02), sclera_rgb=(0.80, 0.60, 0.58), veins=3.0, iris_radius=0.52
        ),
        cloth=ClothAppearance((0.008, 0.008, 0.010), (0.28, 0.004, 0.012)),
    )


def _ghost(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """All bluish white and shadowless, hollow black eyes, open mouth."""
    shape = shifted(
        identity, {"cheek/cheek-volume": -0.8, "eyes/eye-scale": 0.6, "head/head-fat": -0.4}
    )
    identity = replace(shape, smile=0.0, mouth_open=0.9, brow_raise=0.5, lashes=False, beard=0.0)
    pallor: Rgb = (0.78, 0.86, 0.92)
    skin = replace(
        appearance.skin,
        rgb=pallor,
        redness=0.0,
        sockets=2.6,
        freckles=0.0,
        wrinkles=0.0,
        stubble=0.0,
        mottle=0.0,
        gloss=0.02,
        eye_shadow=0.9,
        eye_shadow_rgb=(0.10, 0.12, 0.16),
        lid_line=0.9,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.45, 0.53, 0.60), strength=0.8, gloss=0.0),
        brows=replace(appearance.brows, strength=0.0),
        hair=dyed(appearance, (0.74, 0.82, 0.88)),
        eyes=EyeAppearance(
            iris_rgb=(0.004, 0.005, 0.008),
            sclera_rgb=(0.012, 0.014, 0.02),
            iris_radius=0.9,
            veins=0.0,
            catch_light=0.25,
        ),
        cloth=ClothAppearance(primary_rgb=(0.76, 0.83, 0.88), secondary_rgb=(0.66, 0.74, 0.80)),
        teeth_rgb=(0.30, 0.34, 0.38),
    )


def _android(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Smooth bald metal skin, glowing cyan eyes, dark suit."""
    shape = shifted(identity, {"head/head-fat": -0.5, "cheek/cheek-bones": 0.6})
    identity = replace(
        shape,
        hair_style="bald",
        beard=0.0,
        lashes=False,
        smile=0.0,
        mouth_open=0.0,
        brow_raise=0.0,
        age=min(identity.age, 0.5),
        asymmetry={},
    )
    skin = SkinAppearance(
        rgb=(0.13, 0.175, 0.25), redness=0.0, sockets=0.8, mottle=0.0, gloss=1.0, lid_line=0.9
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.04, 0.05, 0.07), strength=1.0, gloss=0.6),
        brows=replace(appearance.brows, strength=0.0),
        hair=replace(appearance.hair, scalp_cover=0.0),
        eyes=EyeAppearance(
            iris_rgb=(0.10, 1.0, 1.0),
            sclera_rgb=(0.02, 0.03, 0.035),
            iris_radius=0.62,
            pupil=0.25,
            veins=0.0,
            catch_light=1.0,
        ),
        cloth=ClothAppearance((0.020, 0.022, 0.026), (0.02, 0.30, 0.34)),
    )
