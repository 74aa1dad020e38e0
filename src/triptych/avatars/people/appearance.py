"""Appearance of a synthetic head: skin, lips, brows, hair, eyes and cloth, or one material.

All colours here are linear light, 0..1, as (red, green, blue). Styles change an `Appearance` with
`dataclasses.replace`; `linear_rgb` turns picture colours 0..255 into linear light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.models.attribute_schema import Attributes
from triptych.ops.colour import linear_from_srgb

Rgb = tuple[float, float, float]

# sRGB 0..255, from very light to very dark.
_SKIN_RAMP = (
    (246, 214, 196),
    (240, 200, 178),
    (232, 190, 162),
    (222, 175, 145),
    (209, 158, 124),
    (190, 136, 102),
    (165, 112, 80),
    (137, 90, 62),
    (108, 70, 49),
    (82, 54, 40),
)
# Linear light; shades -1, 0, 1 of lipstick and eye shadow.
_LIPSTICKS = ((0.42, 0.12, 0.14), (0.45, 0.06, 0.09), (0.30, 0.04, 0.12))
_EYE_SHADOWS = ((0.25, 0.12, 0.08), (0.22, 0.14, 0.18), (0.12, 0.10, 0.16))


@dataclass(frozen=True)
class SkinAppearance:
    """Skin colour and its marks.

    Attributes:
        rgb: Base colour.
        redness: Blush of cheeks, nose, chin and ears, 0..1.2; negative turns them greenish.
        sockets: Darkness around the eyes, 0..2.6.
        freckles: 0..1.
        wrinkles: Forehead lines, crow's feet and age spots, 0..1.
        stubble: Strength of the stubble, 0..1.
        mottle: Strength of the finest colour noise, about 0.6; 0 is plain, 2.5 is blotched.
        gloss: Weight of the highlights, about 0.09.
        lid_line: Darkness of the lash line, 0..1.
        eye_shadow: Strength of make-up on the lids, 0..1.
        eye_shadow_rgb: Its colour.
    """

    rgb: Rgb
    redness: float = 0.5
    sockets: float = 0.4
    freckles: float = 0.0
    wrinkles: float = 0.0
    stubble: float = 0.0
    mottle: float = 0.6
    gloss: float = 0.09
    lid_line: float = 0.5
    eye_shadow: float = 0.0
    eye_shadow_rgb: Rgb = (0.22, 0.14, 0.18)


@dataclass(frozen=True)
class LipAppearance:
    """Lip colour, how much of it covers the skin (0..1), and gloss weight."""

    rgb: Rgb
    strength: float = 0.75
    gloss: float = 0.16


@dataclass(frozen=True)
class BrowAppearance:
    """A brow in rest space (decimetres of the base mesh).

    Attributes:
        rgb: Colour.
        strength: Cover, 0..1.1; 0 removes the brows.
        inner: Distance of the inner end from the middle.
        outer: Distance of the outer end from the middle.
        height: Height of the inner end.
        slope: Rise towards the outer end; keep slightly negative, else the face looks angry.
        arch: Curvature.
        half_width: Half the thickness.
    """

    rgb: Rgb
    strength: float = 0.9
    inner: float = 0.12
    outer: float = 0.565
    height: float = 7.555
    slope: float = -0.03
    arch: float = 0.09
    half_width: float = 0.04


@dataclass(frozen=True)
class HairAppearance:
    """Colours of hair and beard.

    Attributes:
        rgb: Strand colour.
        tip_rgb: Colour at the tips.
        tip_tint: How much the tips take that colour, 0..1.
        beard_rgb: Colour of beard and stubble.
        gloss: Weight of the strand highlight.
        scalp_cover: How far the scalp below takes the hair colour, 0..1.
    """

    rgb: Rgb
    tip_rgb: Rgb
    beard_rgb: Rgb
    tip_tint: float = 0.0
    gloss: float = 0.15
    scalp_cover: float = 0.85


@dataclass(frozen=True)
class EyeAppearance:
    """Eye balls.

    Attributes:
        iris_rgb: Iris colour.
        sclera_rgb: Colour of the white.
        iris_radius: Angular radius of the iris, radians; human 0.47, cat-like 0.75.
        pupil: Pupil radius as a share of the iris radius; vertical slit when `slit` is true.
        slit: Draw a vertical slit pupil.
        veins: Strength of the reddish noise on the white.
        catch_light: Strength of the reflections.
    """

    iris_rgb: Rgb
    sclera_rgb: Rgb = (0.80, 0.76, 0.73)
    iris_radius: float = 0.48
    pupil: float = 0.40
    slit: bool = False
    veins: float = 1.0
    catch_light: float = 1.0


@dataclass(frozen=True)
class ClothAppearance:
    """Colours of the two kinds of garment parts, and gloss weight."""

    primary_rgb: Rgb
    secondary_rgb: Rgb
    gloss: float = 0.02


@dataclass(frozen=True)
class MaterialAppearance:
    """One material for skin, hair, cloth and eyes, as in a statue; irises are carved.

    Patterns live in rest space, so they follow every morph, and mix `accent_rgb` into the albedo.

    Attributes:
        rgb: Albedo.
        cavity: Strength of the fine surface variation, 0..1.
        gloss: Weight of the highlights; marble 0.25, bronze 1.1.
        accent_rgb: Second albedo, of patina, veins, clouds, rings or speckles.
        patina: Accent in the shaded hollows, 0..1, as on old metal.
        veins: Thin winding lines, 0..1, as in marble.
        clouds: Broad soft patches, 0..1, as in jade.
        rings: Year rings around an upright axis, 0..1, as in wood.
        speckles: Coarse grains, 0..1, as in granite.
        metallic: How far highlights take the albedo's colour and shadows deepen, 0..1.
        glow: Light from within, 0..1, as in ice.
    """

    rgb: Rgb
    cavity: float = 0.2
    gloss: float = 0.2
    accent_rgb: Rgb = (0.0, 0.0, 0.0)
    patina: float = 0.0
    veins: float = 0.0
    clouds: float = 0.0
    rings: float = 0.0
    speckles: float = 0.0
    metallic: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class Appearance:
    """The whole colouring; `material`, when given, replaces every colour."""

    skin: SkinAppearance
    lips: LipAppearance
    brows: BrowAppearance
    hair: HairAppearance
    eyes: EyeAppearance
    cloth: ClothAppearance
    material: MaterialAppearance | None = None
    teeth_rgb: Rgb = (0.74, 0.70, 0.62)
    horn_rgb: Rgb = (0.030, 0.022, 0.018)


def linear_rgb(red: float, green: float, blue: float) -> Rgb:
    """Turn an sRGB colour 0..255 into linear light 0..1."""
    return _rgb(linear_from_srgb(np.array([red, green, blue], np.float64) / 255.0))


def skin_rgb(tone: float) -> Rgb:
    """Return the linear colour of a skin tone, 0 very light .. 9 very dark."""
    ramp = linear_from_srgb(np.array(_SKIN_RAMP, np.float64) / 255.0)
    stops = np.arange(len(ramp))
    return _rgb(np.array([np.interp(tone, stops, ramp[:, channel]) for channel in range(3)]))


def hair_appearance(rgb: Sequence[float], scalp_cover: float = 0.85) -> HairAppearance:
    """Return hair of one linear colour with fitting beard, tips and gloss."""
    colour = np.asarray(rgb, np.float64)
    return HairAppearance(
        rgb=_rgb(colour),
        tip_rgb=_rgb(np.clip(1.8 * colour + np.array([0.030, 0.024, 0.015]), 0.0, 0.9)),
        beard_rgb=_rgb(np.clip(0.8 * colour + 0.004, 0.0, 1.0)),
        gloss=0.10 + 0.35 * float(colour.mean()),
        scalp_cover=scalp_cover,
    )


def brow_rgb(hair_rgb: Sequence[float]) -> Rgb:
    """Return the brow colour that goes with a linear hair colour."""
    return _rgb(np.clip(0.55 * np.asarray(hair_rgb, np.float64) + 0.004, 0.0, 1.0))


def wrinkles_of_age(age: float) -> float:
    """Return how wrinkled skin of an age is, 0..1."""
    return _smooth_step(0.60, 1.0, age)


def appearance_from_attributes(attributes: Attributes) -> Appearance:
    """Return the appearance that attributes describe."""
    darkness = attributes.skin_tone / 9.0
    aged = float(attributes.age > 0.6)
    skin = np.array(skin_rgb(attributes.skin_tone)) * np.exp(np.array(attributes.skin_tint))
    hair = linear_from_srgb(np.array(attributes.hair_rgb))
    brow = attributes.brow_shape
    return Appearance(
        skin=SkinAppearance(
            rgb=_rgb(np.clip(skin, 0.0, 1.0)),
            redness=attributes.redness * (1.0 - 0.6 * darkness),
            sockets=attributes.sockets * (0.7 + 0.5 * aged),
            freckles=attributes.freckles,
            wrinkles=wrinkles_of_age(attributes.age),
            stubble=0.55 * attributes.stubble,
            mottle=0.6 + 0.8 * aged,
            gloss=0.085 + 0.05 * darkness,
            lid_line=0.62 if attributes.gender < 0.5 else 0.42,
            eye_shadow=0.5 * attributes.eye_shadow,
            eye_shadow_rgb=_rgb(
                _three_way(_EYE_SHADOWS, attributes.eye_shadow_shade) * (1.0 - 0.6 * darkness)
            ),
        ),
        lips=_lips(attributes, skin, darkness),
        brows=BrowAppearance(
            rgb=brow_rgb(_rgb(hair)),
            inner=0.12 + 0.012 * brow[0],
            height=7.555 + 0.012 * brow[1],
            arch=0.09 + 0.03 * brow[2],
            half_width=(0.030 + 0.018 * attributes.gender) * float(np.exp(0.2 * brow[3])),
        ),
        hair=hair_appearance(
            _rgb(hair), scalp_cover=0.62 if attributes.hair_style == "buzz" else 0.85
        ),
        eyes=EyeAppearance(
            iris_rgb=_rgb(np.clip(1.5 * linear_from_srgb(np.array(attributes.iris_rgb)), 0.0, 1.0))
        ),
        cloth=ClothAppearance(
            primary_rgb=_rgb(linear_from_srgb(np.array(attributes.garment_rgb))),
            secondary_rgb=_rgb(linear_from_srgb(np.array(attributes.trim_rgb))),
        ),
    )


def _lips(attributes: Attributes, skin: NDArray[np.float64], darkness: float) -> LipAppearance:
    of_men = _mix((0.80, 0.44, 0.42), (0.85, 0.58, 0.56), darkness)
    of_women = _mix((0.80, 0.34, 0.35), (0.86, 0.48, 0.48), darkness)
    natural = np.clip(skin * _mix(of_women, of_men, attributes.gender), 0.0, 1.0)
    lipstick = _three_way(_LIPSTICKS, attributes.lipstick_shade)
    return LipAppearance(
        rgb=_rgb(_mix(natural, lipstick, 0.75 * attributes.lipstick)),
        strength=0.75 + 0.2 * attributes.lipstick,
        gloss=0.16 + 0.10 * attributes.lipstick,
    )


def _three_way(colours: Sequence[Sequence[float]], shade: float) -> NDArray[np.float64]:
    table = np.array(colours, np.float64)
    return np.array([np.interp(shade, (-1.0, 0.0, 1.0), table[:, channel]) for channel in range(3)])


def _mix(
    start: Sequence[float] | NDArray[np.float64],
    end: Sequence[float] | NDArray[np.float64],
    share: float,
) -> NDArray[np.float64]:
    return np.asarray(start, np.float64) * (1.0 - share) + np.asarray(end, np.float64) * share


def _smooth_step(start: float, end: float, value: float) -> float:
    share = float(np.clip((value - start) / (end - start), 0.0, 1.0))
    return share * share * (3.0 - 2.0 * share)


def _rgb(colour: NDArray[np.float64]) -> Rgb:
    return (float(colour[0]), float(colour[1]), float(colour[2]))
