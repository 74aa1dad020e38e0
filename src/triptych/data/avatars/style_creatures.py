"""Styles that turn a person into a creature of tales: shape, skin, eyes and hair change."""

from __future__ import annotations

from dataclasses import replace

from triptych.data.avatars.identity import Identity
from triptych.data.avatars.look import (
    BrowLook,
    ClothLook,
    EyeLook,
    HairLook,
    LipLook,
    Look,
    Rgb,
    SkinLook,
    hair_look,
)
from triptych.data.avatars.style import Style, shifted

_SKIN = frozenset({"skin colour", "lip colour"})
# Hair that would hide or, being bound to the head, be dragged along by large ears.
_COVERS_EARS = frozenset({"afro", "curls", "bob01", "bob02", "long01", "long_wavy", "braid01"})


def creature_styles() -> list[Style]:
    """Return every creature."""
    return [
        Style("zombie", "creature", _zombie, aspects=_SKIN),
        Style("elf", "creature", _elf, aspects=frozenset({"beard"})),
        Style("vampire", "creature", _vampire, aspects=_SKIN),
        Style("blue alien", "creature", _blue_alien, aspects=_SKIN | {"hair", "hair colour", "beard"}),
        Style("orc", "creature", _orc, aspects=_SKIN | {"expression"}),
        Style("goblin", "creature", _goblin, aspects=_SKIN | {"hair", "hair colour", "beard"}),
        Style("demon", "creature", _demon, aspects=_SKIN | {"hair colour"}),
        Style("ghost", "creature", _ghost, aspects=_SKIN | {"hair colour"}),
        Style("android", "creature", _android, aspects=_SKIN | {"hair", "hair colour", "beard"}),
    ]


def _zombie(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
        look.skin,
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
    eyes = EyeLook(
        iris_rgb=(0.62, 0.64, 0.50), sclera_rgb=(0.62, 0.60, 0.42), iris_radius=0.36, pupil=0.22,
        veins=2.5, catch_light=0.3,
    )  # fmt: skip
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.07, 0.05, 0.05), strength=0.95, gloss=0.04),
        hair=_dyed(look, _scaled(look.hair.rgb, 0.45)),
        eyes=eyes,
        cloth=_cloth(_scaled(look.cloth.primary_rgb, 0.3), _scaled(look.cloth.secondary_rgb, 0.3)),
        teeth_rgb=(0.42, 0.36, 0.16),
    )


def _elf(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
    hair = hair_look((0.74, 0.60, 0.34))
    return identity, replace(
        look,
        skin=replace(look.skin, stubble=0.0, redness=0.35, wrinkles=0.0, gloss=0.14, sockets=0.2),
        hair=hair,
        brows=replace(look.brows, rgb=(0.36, 0.25, 0.11), slope=0.05, arch=0.14),
        eyes=EyeLook(iris_rgb=(0.10, 0.62, 0.20), iris_radius=0.53),
        cloth=_cloth((0.018, 0.11, 0.035), (0.30, 0.22, 0.06)),
    )


def _vampire(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
        look.skin,
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
        look,
        skin=skin,
        lips=LipLook(rgb=(0.34, 0.006, 0.02), strength=1.0, gloss=0.3),
        brows=_black_brows(look.brows),
        hair=_dyed(look, (0.010, 0.009, 0.011)),
        eyes=EyeLook(
            iris_rgb=(0.95, 0.03, 0.02), sclera_rgb=(0.80, 0.60, 0.58), veins=3.0, iris_radius=0.52
        ),
        cloth=_cloth((0.008, 0.008, 0.010), (0.28, 0.004, 0.012)),
    )


def _blue_alien(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
        shape, age=min(identity.age, 0.5), hair_style="bald", beard=0.0, lashes=False,
        mouth_open=0.0, smile=0.0, brow_raise=0.2,
    )  # fmt: skip
    skin = SkinLook(
        rgb=(0.045, 0.19, 0.55), redness=-0.5, sockets=1.2, freckles=1.0, mottle=1.4, gloss=0.26,
        lid_line=0.8,
    )  # fmt: skip
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.03, 0.09, 0.34), strength=0.9, gloss=0.3),
        brows=replace(look.brows, strength=0.0),
        hair=replace(look.hair, scalp_cover=0.0),
        eyes=EyeLook(
            iris_rgb=(1.0, 0.72, 0.06), sclera_rgb=(0.16, 0.14, 0.10), iris_radius=0.72, pupil=0.5,
            slit=True, veins=0.0,
        ),
        cloth=_cloth((0.42, 0.44, 0.50), (0.10, 0.11, 0.14)),
    )  # fmt: skip


def _orc(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
        shape, gender=max(identity.gender, 0.85), muscle=1.0, age=max(identity.age, 0.5),
        smile=0.0, mouth_open=0.0, brow_raise=-0.9, lashes=False, lids_open=0.05, tusks=1.0,
    )  # fmt: skip
    skin = replace(
        look.skin,
        rgb=(0.125, 0.155, 0.042),
        redness=0.3,
        sockets=1.5,
        freckles=0.4,
        mottle=2.2,
        wrinkles=0.5,
        gloss=0.14,
        eye_shadow=0.0,
    )
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.09, 0.07, 0.03), strength=0.9, gloss=0.1),
        brows=replace(_black_brows(look.brows), half_width=0.060, slope=0.06),
        hair=_dyed(look, (0.014, 0.011, 0.009)),
        eyes=EyeLook(
            iris_rgb=(0.95, 0.62, 0.05), sclera_rgb=(0.60, 0.52, 0.30), iris_radius=0.40, pupil=0.3
        ),
        cloth=_cloth((0.075, 0.042, 0.020), (0.030, 0.020, 0.013)),
        teeth_rgb=(0.74, 0.66, 0.42),
    )


def _goblin(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
        shape, hair_style="bald", beard=0.0, lashes=False, smile=0.8, mouth_open=0.15,
        weight=0.2, age=min(max(identity.age, 0.5), 0.8), brow_raise=-0.3,
    )  # fmt: skip
    skin = replace(
        look.skin, rgb=(0.10, 0.36, 0.035), redness=0.35, sockets=1.0, mottle=2.0, wrinkles=0.8,
        stubble=0.0, eye_shadow=0.0, gloss=0.16, freckles=0.5,
    )  # fmt: skip
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.05, 0.14, 0.02), strength=0.9),
        brows=replace(look.brows, rgb=(0.01, 0.03, 0.005), half_width=0.045),
        hair=replace(look.hair, scalp_cover=0.0),
        eyes=EyeLook(
            iris_rgb=(1.0, 0.80, 0.04), sclera_rgb=(0.85, 0.80, 0.45), iris_radius=0.55, pupil=0.45,
            slit=True,
        ),
        cloth=_cloth((0.16, 0.075, 0.030), (0.05, 0.03, 0.02)),
    )  # fmt: skip


def _demon(identity: Identity, look: Look) -> tuple[Identity, Look]:
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
    identity = replace(
        shape, horns=1.0, brow_raise=-0.8, smile=0.2, mouth_open=0.0, lashes=False
    )
    skin = replace(
        look.skin, rgb=(0.46, 0.020, 0.014), redness=0.2, sockets=2.2, mottle=1.4, gloss=0.22,
        wrinkles=0.35, freckles=0.0, eye_shadow=0.9, eye_shadow_rgb=(0.05, 0.0, 0.0),
        lid_line=0.9, stubble=0.0,
    )  # fmt: skip
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.07, 0.004, 0.006), strength=1.0, gloss=0.2),
        brows=replace(_black_brows(look.brows), slope=0.10, arch=0.05),
        hair=_dyed(look, (0.010, 0.008, 0.008)),
        eyes=EyeLook(
            iris_rgb=(1.0, 0.80, 0.05), sclera_rgb=(0.95, 0.62, 0.05), iris_radius=0.60, pupil=0.5,
            slit=True, veins=0.0, catch_light=0.6,
        ),
        cloth=_cloth((0.012, 0.010, 0.010), (0.10, 0.01, 0.01)),
    )  # fmt: skip


def _ghost(identity: Identity, look: Look) -> tuple[Identity, Look]:
    """All bluish white and shadowless, hollow black eyes, open mouth."""
    shape = shifted(
        identity, {"cheek/cheek-volume": -0.8, "eyes/eye-scale": 0.6, "head/head-fat": -0.4}
    )
    identity = replace(shape, smile=0.0, mouth_open=0.9, brow_raise=0.5, lashes=False, beard=0.0)
    pallor: Rgb = (0.78, 0.86, 0.92)
    skin = replace(
        look.skin, rgb=pallor, redness=0.0, sockets=2.6, freckles=0.0, wrinkles=0.0, stubble=0.0,
        mottle=0.0, gloss=0.02, eye_shadow=0.9, eye_shadow_rgb=(0.10, 0.12, 0.16), lid_line=0.9,
    )  # fmt: skip
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.45, 0.53, 0.60), strength=0.8, gloss=0.0),
        brows=replace(look.brows, strength=0.0),
        hair=_dyed(look, (0.74, 0.82, 0.88)),
        eyes=EyeLook(
            iris_rgb=(0.004, 0.005, 0.008), sclera_rgb=(0.012, 0.014, 0.02), iris_radius=0.9,
            veins=0.0, catch_light=0.25,
        ),
        cloth=ClothLook(primary_rgb=(0.76, 0.83, 0.88), secondary_rgb=(0.66, 0.74, 0.80)),
        teeth_rgb=(0.30, 0.34, 0.38),
    )  # fmt: skip


def _android(identity: Identity, look: Look) -> tuple[Identity, Look]:
    """Smooth bald metal skin, glowing cyan eyes, dark suit."""
    shape = shifted(identity, {"head/head-fat": -0.5, "cheek/cheek-bones": 0.6})
    identity = replace(
        shape, hair_style="bald", beard=0.0, lashes=False, smile=0.0, mouth_open=0.0,
        brow_raise=0.0, age=min(identity.age, 0.5), asymmetry={},
    )  # fmt: skip
    skin = SkinLook(
        rgb=(0.36, 0.39, 0.43), redness=0.0, sockets=0.8, mottle=0.0, gloss=0.9, lid_line=0.9
    )
    return identity, replace(
        look,
        skin=skin,
        lips=LipLook(rgb=(0.12, 0.13, 0.15), strength=1.0, gloss=0.6),
        brows=replace(look.brows, strength=0.0),
        hair=replace(look.hair, scalp_cover=0.0),
        eyes=EyeLook(
            iris_rgb=(0.10, 1.0, 1.0), sclera_rgb=(0.02, 0.03, 0.035), iris_radius=0.62, pupil=0.25,
            veins=0.0, catch_light=1.0,
        ),
        cloth=_cloth((0.020, 0.022, 0.026), (0.02, 0.30, 0.34)),
    )  # fmt: skip


def _dyed(look: Look, rgb: Rgb) -> HairLook:
    return hair_look(rgb, scalp_cover=look.hair.scalp_cover)


def _cloth(primary: Rgb, secondary: Rgb) -> ClothLook:
    return ClothLook(primary_rgb=primary, secondary_rgb=secondary)


def _black_brows(brows: BrowLook) -> BrowLook:
    return replace(brows, rgb=(0.006, 0.006, 0.007), strength=1.1)


def _scaled(rgb: Rgb, factor: float) -> Rgb:
    return (factor * rgb[0], factor * rgb[1], factor * rgb[2])
