"""Styles that turn a person into a monster: alien, orc, goblin and demon."""

from __future__ import annotations

from dataclasses import replace

from triptych.avatars.people.appearance import (
    Appearance,
    ClothAppearance,
    EyeAppearance,
    LipAppearance,
    SkinAppearance,
)
from triptych.avatars.people.identity import Identity
from triptych.avatars.styles.adjustments import black_brows, dyed, shifted
from triptych.avatars.styles.style import Style

_SKIN = frozenset({"skin colour", "lip colour"})


def monster_styles() -> list[Style]:
    """Return the creatures whose shape is far from human."""
    return [
        Style(
            "blue alien", "creature", _blue_alien, aspects=_SKIN | {"hair", "hair colour", "beard"}
        ),
        Style("orc", "creature", _orc, aspects=_SKIN | {"expression", "beard"}),
        Style("goblin", "creature", _goblin, aspects=_SKIN | {"hair", "hair colour", "beard"}),
        Style("demon", "creature", _demon, aspects=_SKIN | {"hair colour"}),
    ]


def _blue_alien(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Bald tall blue skull, huge dark eyes with golden irises, tiny nose and mouth."""
    shape = shifted(
        identity,
        {
            "eyes/eye-scale": 1.5,
            "eyes/eye-corner2": 0.9,
            "eyes/eye-height2": 0.6,
            "nose/nose-scale-horiz": -1.0,
            "nose/nose-scale-depth": -1.1,
            "nose/nose-scale-vert": -0.7,
            "forehead/forehead-scale-vert": 1.3,
            "forehead/forehead-temple": 0.9,
            "head/head-back-scale-depth": 0.9,
            "head/head-scale-vert": 0.5,
            "chin/chin-width": -1.1,
            "chin/chin-triangle": 0.7,
            "mouth/mouth-scale-horiz": -0.9,
            "head/head-fat": -0.8,
            "cheek/cheek-volume": -0.6,
            "ears/ear-scale": -0.9,
            "neck/neck-scale-horiz": -0.7,
        },
    ).with_ear_shapes({"pointed": 1.0})
    identity = replace(
        shape,
        age=min(identity.age, 0.5),
        hair_style="bald",
        beard=0.0,
        lashes=False,
        mouth_open=0.0,
        smile=0.0,
        brow_raise=0.2,
    )
    skin = SkinAppearance(
        rgb=(0.045, 0.19, 0.55),
        redness=-0.5,
        sockets=1.2,
        freckles=1.0,
        mottle=1.4,
        gloss=0.26,
        lid_line=0.8,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.03, 0.09, 0.34), strength=0.9, gloss=0.3),
        brows=replace(appearance.brows, strength=0.0),
        hair=replace(appearance.hair, scalp_cover=0.0),
        eyes=EyeAppearance(
            iris_rgb=(1.0, 0.72, 0.06),
            sclera_rgb=(0.16, 0.14, 0.10),
            iris_radius=0.72,
            pupil=0.5,
            slit=True,
            veins=0.0,
        ),
        cloth=ClothAppearance((0.42, 0.44, 0.50), (0.10, 0.11, 0.14)),
    )


def _orc(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Massive jaw and brow, flat wide nose, tusks, olive-brown skin, small yellow eyes."""
    shape = shifted(
        identity,
        {
            "chin/chin-width": 1.3,
            "chin/chin-bones": 1.0,
            "chin/chin-prognathism": 1.3,
            "chin/chin-prominent": 0.9,
            "chin/chin-height": 0.6,
            "forehead/forehead-nubian": 0.7,
            "forehead/forehead-trans": 0.8,
            "forehead/forehead-scale-vert": -0.8,
            "eyebrows/eyebrows-trans": -0.7,
            "eyebrows/eyebrows-angle": -0.6,
            "nose/nose-scale-horiz": 1.0,
            "nose/nose-flaring": 1.0,
            "nose/nose-volume": 0.7,
            "nose/nose-compression": -0.6,
            "nose/nose-point": 0.8,
            "mouth/mouth-scale-horiz": 0.9,
            "mouth/mouth-lowerlip-height": 0.8,
            "mouth/mouth-angles": -0.9,
            "eyes/eye-scale": -0.75,
            "neck/neck-scale-horiz": 1.0,
            "head/head-scale-horiz": 0.4,
            "ears/ear-scale": 0.4,
        },
    ).with_ear_shapes({"pointed": 1.3})
    identity = replace(
        shape,
        gender=max(identity.gender, 0.85),
        muscle=1.0,
        age=max(identity.age, 0.5),
        beard=0.0,
        smile=0.0,
        mouth_open=0.0,
        brow_raise=-0.9,
        lashes=False,
        lids_open=0.05,
        tusks=1.0,
    )
    skin = replace(
        appearance.skin,
        rgb=(0.125, 0.155, 0.042),
        redness=0.3,
        sockets=1.5,
        freckles=0.4,
        mottle=2.2,
        wrinkles=0.5,
        stubble=0.0,
        gloss=0.14,
        eye_shadow=0.0,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.09, 0.07, 0.03), strength=0.9, gloss=0.1),
        brows=replace(black_brows(appearance.brows), half_width=0.060, slope=0.06),
        hair=dyed(appearance, (0.014, 0.011, 0.009)),
        eyes=EyeAppearance(
            iris_rgb=(0.95, 0.62, 0.05), sclera_rgb=(0.60, 0.52, 0.30), iris_radius=0.40, pupil=0.3
        ),
        cloth=ClothAppearance((0.075, 0.042, 0.020), (0.030, 0.020, 0.013)),
        teeth_rgb=(0.74, 0.66, 0.42),
    )


def _goblin(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Small bright-green face, enormous sideways ears, long hooked nose, wide grin, bald."""
    shape = shifted(
        identity,
        {
            "ears/ear-scale": 1.6,
            "ears/ear-wing": 1.5,
            "ears/ear-scale-vert": 0.8,
            "ears/ear-scale-depth": 0.9,
            "nose/nose-scale-vert": 0.9,
            "nose/nose-scale-depth": 1.2,
            "nose/nose-hump": 1.0,
            "nose/nose-point": -1.0,
            "nose/nose-point-width": -0.4,
            "chin/chin-prominent": 1.0,
            "chin/chin-width": -0.9,
            "chin/chin-triangle": 0.6,
            "mouth/mouth-scale-horiz": 1.1,
            "mouth/mouth-angles": 0.6,
            "cheek/cheek-bones": 0.9,
            "cheek/cheek-volume": -0.6,
            "eyes/eye-scale": 0.7,
            "eyes/eye-corner2": 0.5,
            "forehead/forehead-scale-vert": -0.6,
            "eyebrows/eyebrows-angle": -0.4,
            "neck/neck-scale-horiz": -0.7,
        },
    ).with_ear_shapes({"pointed": 1.8})
    identity = replace(
        shape,
        hair_style="bald",
        beard=0.0,
        lashes=False,
        smile=0.8,
        mouth_open=0.15,
        weight=0.2,
        age=min(max(identity.age, 0.5), 0.8),
        brow_raise=-0.3,
    )
    skin = replace(
        appearance.skin,
        rgb=(0.10, 0.36, 0.035),
        redness=0.35,
        sockets=1.0,
        mottle=2.0,
        wrinkles=0.8,
        stubble=0.0,
        eye_shadow=0.0,
        gloss=0.16,
        freckles=0.5,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.05, 0.14, 0.02), strength=0.9),
        brows=replace(appearance.brows, rgb=(0.01, 0.03, 0.005), half_width=0.045),
        hair=replace(appearance.hair, scalp_cover=0.0),
        eyes=EyeAppearance(
            iris_rgb=(1.0, 0.80, 0.04),
            sclera_rgb=(0.85, 0.80, 0.45),
            iris_radius=0.55,
            pupil=0.45,
            slit=True,
        ),
        cloth=ClothAppearance((0.16, 0.075, 0.030), (0.05, 0.03, 0.02)),
    )


def _demon(identity: Identity, appearance: Appearance) -> tuple[Identity, Appearance]:
    """Scarlet skin, black horns, burning yellow slit eyes, pointed ears, black hair and dress."""
    shape = shifted(
        identity,
        {
            "eyebrows/eyebrows-angle": -1.0,
            "eyebrows/eyebrows-trans": -0.4,
            "cheek/cheek-bones": 1.1,
            "cheek/cheek-volume": -0.9,
            "chin/chin-triangle": 0.6,
            "chin/chin-prominent": 0.7,
            "eyes/eye-corner2": 1.0,
            "nose/nose-hump": 0.5,
            "ears/ear-scale-vert": 0.8,
        },
    ).with_ear_shapes({"pointed": 1.5})
    identity = replace(shape, horns=1.0, brow_raise=-0.8, smile=0.2, mouth_open=0.0, lashes=False)
    skin = replace(
        appearance.skin,
        rgb=(0.46, 0.020, 0.014),
        redness=0.2,
        sockets=2.2,
        mottle=1.4,
        gloss=0.22,
        wrinkles=0.35,
        freckles=0.0,
        eye_shadow=0.9,
        eye_shadow_rgb=(0.05, 0.0, 0.0),
        lid_line=0.9,
        stubble=0.0,
    )
    return identity, replace(
        appearance,
        skin=skin,
        lips=LipAppearance(rgb=(0.07, 0.004, 0.006), strength=1.0, gloss=0.2),
        brows=replace(black_brows(appearance.brows), slope=0.10, arch=0.05),
        hair=dyed(appearance, (0.010, 0.008, 0.008)),
        eyes=EyeAppearance(
            iris_rgb=(1.0, 0.80, 0.05),
            sclera_rgb=(0.95, 0.62, 0.05),
            iris_radius=0.60,
            pupil=0.5,
            slit=True,
            veins=0.0,
            catch_light=0.6,
        ),
        cloth=ClothAppearance((0.012, 0.010, 0.010), (0.10, 0.01, 0.01)),
    )
