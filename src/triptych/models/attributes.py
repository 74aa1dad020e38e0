"""Attributes of a seed: a latent of independent N(0, 1) numbers, mapped to a person.

Seed -> latent [LATENT_DIM] -> `Attributes` (gender, age, hair colour, ...) -> attribute vector
[ATTRIBUTE_DIM] of about unit standard deviation, the input of the avatar generator. No head assets
are needed, so that a seed always gives the same person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.models.attribute_schema import (
    ASYMMETRY_DIM,
    ATTRIBUTE_DIM,
    BROW_DIM,
    EAR_DIM,
    FACE_DIM,
    GARMENTS,
    HAIR_STYLES,
    OUTLINE_DIM,
    Attributes,
    attribute_slices,
    attribute_vector,
    consecutive_slices,
)

__all__ = [
    "ATTRIBUTE_DIM",
    "GARMENTS",
    "HAIR_STYLES",
    "LATENT_DIM",
    "Attributes",
    "attribute_slices",
    "attribute_vector",
    "attribute_vector_from_seed",
    "attributes_from_latent",
    "attributes_from_seed",
    "latent_from_seed",
]

FloatArray = NDArray[np.float64]

# Logits of each choice for men and women; the largest (logit + latent number) is chosen.
_HAIR_SUITS = {
    "bald": (-0.5, -4.5),
    "buzz": (0.1, -3.2),
    "crop": (0.5, -2.2),
    "slick": (0.2, -3.0),
    "curls": (0.2, -0.1),
    "afro": (-0.3, -0.2),
    "short01": (0.7, -1.6),
    "short02": (0.7, -1.2),
    "short03": (0.2, 0.0),
    "short04": (0.7, -1.0),
    "bob01": (-1.9, 0.6),
    "bob02": (-1.9, 0.7),
    "braid01": (-3.0, 0.3),
    "long01": (-1.9, 0.7),
    "long_wavy": (-2.3, 0.7),
    "ponytail01": (-2.2, 0.6),
    "bun": (-2.8, 0.4),
}
_GARMENT_SUITS = {
    "female_casualsuit01": (-1.6, 1.3),
    "female_elegantsuit01": (-3.0, 1.3),
    "male_casualsuit01": (0.3, -1.4),
    "male_casualsuit02": (0.3, -0.1),
    "male_casualsuit03": (0.3, -1.4),
    "male_casualsuit05": (0.3, -1.2),
    "male_casualsuit06": (0.3, -0.3),
    "male_elegantsuit01": (0.5, -1.8),
}
_SUITS_OF_HAIR = np.array([_HAIR_SUITS[name] for name in HAIR_STYLES])
_SUITS_OF_GARMENTS = np.array([_GARMENT_SUITS[name] for name in GARMENTS])

# Palettes are sRGB, 0..255.
_HAIR_SHADES = (
    (26, 22, 21),
    (52, 36, 28),
    (84, 58, 40),
    (122, 88, 58),
    (160, 124, 80),
    (206, 172, 116),
)
_GINGER, _GREY, _WHITE = (158, 80, 38), (140, 136, 132), (196, 192, 187)
_IRIS_SHADES = ((70, 42, 22), (92, 58, 30), (118, 84, 44), (90, 110, 62), (92, 116, 138))
_IRIS_STOPS = (0.0, 0.35, 0.6, 0.8, 1.0)
_AGE_QUANTILES = (0.0, 0.06, 0.16, 0.4, 0.65, 0.8, 0.92, 1.0)
_AGES = (0.15, 0.20, 0.32, 0.45, 0.53, 0.62, 0.75, 0.98)
_TONE_OF_ANCESTRY = (7.2, 2.6, 1.6)

# Latent slots: name -> how many numbers.
_LATENT_SLOTS: dict[str, int] = {
    "gender": 1,
    "ancestry": 3,
    "age": 1,
    "weight": 1,
    "muscle": 1,
    "face": FACE_DIM,
    "outline": OUTLINE_DIM,
    "ears": EAR_DIM,
    "asymmetry": ASYMMETRY_DIM,
    "smile": 1,
    "brow_raise": 1,
    "mouth_open": 1,
    "gaze": 2,
    "skin_tone": 1,
    "skin_tint": 3,
    "redness": 1,
    "sockets": 1,
    "freckles": 1,
    "hair_shade": 1,
    "hair_ginger": 1,
    "hair_grey": 1,
    "hair_style": len(HAIR_STYLES),
    "hair_volume": 1,
    "hair_length": 1,
    "hair_wave": 1,
    "beard": 1,
    "goatee": 1,
    "stubble": 1,
    "brow_shape": BROW_DIM,
    "iris": 1,
    "lipstick": 1,
    "lipstick_shade": 1,
    "eye_shadow": 1,
    "eye_shadow_shade": 1,
    "garment": len(GARMENTS),
    "garment_colour": 3,
    "trim_colour": 3,
}
LATENT_DIM = sum(_LATENT_SLOTS.values())
_LATENT_SLICES = consecutive_slices(_LATENT_SLOTS)


def latent_from_seed(seed: int) -> FloatArray:
    """Draw the latent of a seed: [LATENT_DIM] independent N(0, 1) numbers.

    Seeds below 100,000 are for users and tests; training uses larger ones.
    """
    return np.random.default_rng([9, seed]).standard_normal(LATENT_DIM)


def attributes_from_latent(latent: FloatArray) -> Attributes:
    """Map a latent [LATENT_DIM] of N(0, 1) numbers to attributes."""
    draw = _LatentReader(np.asarray(latent, dtype=np.float64))
    gender = _sigmoid(3.5 * draw.one("gender"))
    ancestry = _softmax(1.7 * draw.many("ancestry"))
    age = float(np.interp(draw.uniform("age"), _AGE_QUANTILES, _AGES))
    tone = float(ancestry @ np.array(_TONE_OF_ANCESTRY)) + 0.8 * draw.one("skin_tone")
    skin_tone = _clip(tone, 0.0, 8.6)
    fair = _step(-skin_tone, -3.2, -2.6)
    grown_up = _step(age, 0.36, 0.42)
    man = _sigmoid(12.0 * (gender - 0.6)) * grown_up
    woman = _sigmoid(12.0 * (0.4 - gender)) * grown_up
    beard = _clip(1.2 * (draw.one("beard") - 0.3), 0.0, 1.0) * man
    return Attributes(
        gender=gender,
        ancestry=_tuple(ancestry),
        age=age,
        weight=_clip(0.5 + 0.2 * draw.one("weight"), 0.0, 1.0),
        muscle=_clip(0.5 + 0.15 * draw.one("muscle"), 0.0, 1.0),
        face=_tuple(draw.many("face")),
        outline=_tuple(0.45 * _softmax(1.5 * draw.many("outline"))),
        ears=_tuple(0.35 * _softmax(1.5 * draw.many("ears"))),
        asymmetry=_tuple(draw.many("asymmetry")),
        smile=_clip(0.35 + 0.3 * draw.one("smile"), 0.0, 1.0),
        brow_raise=0.12 + 0.13 * draw.one("brow_raise"),
        mouth_open=max(0.0, -0.1 + 0.2 * draw.one("mouth_open")),
        gaze=_tuple(draw.many("gaze") * np.array([0.06, 0.03])),
        skin_tone=skin_tone,
        skin_tint=_tuple(0.03 * draw.many("skin_tint")),
        redness=_clip(0.55 + 0.2 * draw.one("redness"), 0.15, 1.2),
        sockets=_clip(0.5 + 0.15 * draw.one("sockets"), 0.1, 0.9),
        freckles=_clip(draw.one("freckles") - 1.1, 0.0, 1.0) * fair,
        hair_rgb=_hair_colour(draw, float(ancestry[2]), age),
        hair_style=_hair_style(draw, gender, age, ancestry),
        hair_volume=0.03 + 0.02 * draw.one("hair_volume"),
        hair_length=0.95 + 0.12 * draw.one("hair_length"),
        hair_wave=_clip(0.3 + 0.3 * draw.one("hair_wave"), 0.0, 1.0),
        beard=beard if beard > 0.35 else 0.0,
        goatee=_sigmoid(4.0 * (draw.one("goatee") - 0.4)),
        stubble=_clip(0.25 + 0.2 * draw.one("stubble"), 0.0, 0.6) * man,
        brow_shape=_tuple(draw.many("brow_shape")),
        iris_rgb=_iris_colour(draw, float(ancestry[2])),
        lipstick=_clip(0.5 + 0.4 * draw.one("lipstick"), 0.0, 1.0) * woman,
        lipstick_shade=2.0 * draw.uniform("lipstick_shade") - 1.0,
        eye_shadow=_clip(0.3 + 0.4 * draw.one("eye_shadow"), 0.0, 1.0) * woman,
        eye_shadow_shade=2.0 * draw.uniform("eye_shadow_shade") - 1.0,
        garment=_garment(draw, gender),
        garment_rgb=_cloth_colour(draw.many("garment_colour"), saturation=(0.15, 0.60)),
        trim_rgb=_cloth_colour(draw.many("trim_colour"), saturation=(0.05, 0.40)),
    )


def attributes_from_seed(seed: int) -> Attributes:
    """Return the attributes of a seed."""
    return attributes_from_latent(latent_from_seed(seed))


def attribute_vector_from_seed(seed: int) -> NDArray[np.float32]:
    """Return the attribute vector [ATTRIBUTE_DIM] of a seed."""
    return attribute_vector(attributes_from_seed(seed))


class _LatentReader:
    """Named access to the numbers of a latent."""

    def __init__(self, latent: FloatArray) -> None:
        if latent.shape != (LATENT_DIM,):
            raise ValueError(f"latent: got shape {latent.shape}; expected ({LATENT_DIM},)")
        self._latent = latent

    def many(self, name: str) -> FloatArray:
        return self._latent[_LATENT_SLICES[name]]

    def one(self, name: str) -> float:
        return float(self.many(name)[0])

    def uniform(self, name: str) -> float:
        """Return the quantile 0..1 of a normal number."""
        return _quantile(self.one(name))


def _hair_colour(draw: _LatentReader, caucasian: float, age: float) -> tuple[float, ...]:
    lightness = _clip(draw.uniform("hair_shade") - 0.55 * (1.0 - caucasian), 0.0, 1.0)
    colour = _palette(_HAIR_SHADES, np.linspace(0.0, 1.0, len(_HAIR_SHADES)), lightness)
    ginger = _sigmoid(5.0 * (draw.one("hair_ginger") - 1.3)) * caucasian
    colour = _mix(colour, np.array(_GINGER), ginger)
    inclination = draw.one("hair_grey")
    greying = _clip((age - 0.66) / 0.14, 0.0, 1.0) * _sigmoid(4.0 * (inclination + 0.6))
    whiteness = _clip((age - 0.72) / 0.2, 0.0, 1.0) * _sigmoid(3.0 * inclination)
    grey = _mix(np.array(_GREY, np.float64), np.array(_WHITE), whiteness)
    return _tuple(_mix(colour, grey, greying) / 255.0)


def _iris_colour(draw: _LatentReader, caucasian: float) -> tuple[float, ...]:
    lightness = _clip(draw.uniform("iris") - 0.6 * (1.0 - caucasian), 0.0, 1.0)
    return _tuple(_palette(_IRIS_SHADES, _IRIS_STOPS, lightness) / 255.0)


def _hair_style(draw: _LatentReader, gender: float, age: float, ancestry: FloatArray) -> str:
    suits = _SUITS_OF_HAIR @ np.array([gender, 1.0 - gender])
    african = float(ancestry[0])
    suits[HAIR_STYLES.index("afro")] += 1.6 * african - 0.6
    suits[HAIR_STYLES.index("curls")] += 0.8 * african - 0.2
    balding = _step(age, 0.5, 0.8) - 2.0 * _step(-age, -0.45, -0.4)
    suits[HAIR_STYLES.index("bald")] += balding
    return HAIR_STYLES[int(np.argmax(suits + draw.many("hair_style")))]


def _garment(draw: _LatentReader, gender: float) -> str:
    suits = _SUITS_OF_GARMENTS @ np.array([gender, 1.0 - gender])
    return GARMENTS[int(np.argmax(suits + draw.many("garment")))]


def _cloth_colour(normals: FloatArray, saturation: tuple[float, float]) -> tuple[float, ...]:
    """Turn three normal numbers into hue, saturation, brightness and these into sRGB 0..1."""
    hue, chroma, brightness = (_quantile(float(number)) for number in normals)
    chroma = saturation[0] + (saturation[1] - saturation[0]) * chroma
    brightness = 0.16 + 0.70 * brightness
    phase = (np.array([0.0, 2.0 / 3.0, 1.0 / 3.0]) + hue) % 1.0
    ramp = np.clip(np.abs(6.0 * phase - 3.0) - 1.0, 0.0, 1.0)
    return _tuple(brightness * (1.0 - chroma + chroma * ramp))


def _palette(
    colours: Sequence[Sequence[float]], stops: Sequence[float] | FloatArray, position: float
) -> FloatArray:
    table = np.array(colours, np.float64)
    return np.array([np.interp(position, stops, table[:, channel]) for channel in range(3)])


def _mix(start: FloatArray, end: FloatArray, share: float) -> FloatArray:
    return start + (end - start) * share


def _clip(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def _step(value: float, start: float, end: float) -> float:
    return _clip((value - start) / (end - start), 0.0, 1.0)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def _softmax(values: FloatArray) -> FloatArray:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def _quantile(normal: float) -> float:
    return 0.5 * (1.0 + math.erf(normal / math.sqrt(2.0)))


def _tuple(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
