"""Attributes of a synthetic head, and the vector of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HAIR_STYLES = (
    "bald",
    "buzz",
    "crop",
    "slick",
    "curls",
    "afro",
    "short01",
    "short02",
    "short03",
    "short04",
    "bob01",
    "bob02",
    "braid01",
    "long01",
    "long_wavy",
    "ponytail01",
    "bun",
)
GARMENTS = (
    "female_casualsuit01",
    "female_elegantsuit01",
    "male_casualsuit01",
    "male_casualsuit02",
    "male_casualsuit03",
    "male_casualsuit05",
    "male_casualsuit06",
    "male_elegantsuit01",
)
FACE_DIM, OUTLINE_DIM, EAR_DIM, ASYMMETRY_DIM, BROW_DIM = 24, 7, 4, 4, 4


@dataclass(frozen=True)
class Attributes:
    """Attributes of a person; every field is a number, a tuple of numbers or a choice.

    gender 0 woman .. 1 man; ancestry = weights (african, asian, caucasian) summing to 1; age 0.15
    child, 0.5 young adult, 1 old; weight and muscle 0..1 with 0.5 average; face, asymmetry and
    brow_shape are standard normal; outline and ears are non-negative morph weights; smile, redness,
    sockets, freckles, beard, goatee, stubble and make-up strengths are 0..1 (redness up to 1.2);
    skin_tone 0 very light .. 9 very dark; colours are sRGB 0..1; shades run -1..1.
    """

    gender: float
    ancestry: tuple[float, ...]
    age: float
    weight: float
    muscle: float
    face: tuple[float, ...]
    outline: tuple[float, ...]
    ears: tuple[float, ...]
    asymmetry: tuple[float, ...]
    smile: float
    brow_raise: float
    mouth_open: float
    gaze: tuple[float, ...]
    skin_tone: float
    skin_tint: tuple[float, ...]
    redness: float
    sockets: float
    freckles: float
    hair_rgb: tuple[float, ...]
    hair_style: str
    hair_volume: float
    hair_length: float
    hair_wave: float
    beard: float
    goatee: float
    stubble: float
    brow_shape: tuple[float, ...]
    iris_rgb: tuple[float, ...]
    lipstick: float
    lipstick_shade: float
    eye_shadow: float
    eye_shadow_shade: float
    garment: str
    garment_rgb: tuple[float, ...]
    trim_rgb: tuple[float, ...]


@dataclass(frozen=True)
class _Scale:
    """Centre and typical deviation of one attribute; the vector holds (value - centre) / spread."""

    width: int = 1
    centre: float | tuple[float, ...] = 0.0
    spread: float | tuple[float, ...] = 1.0


_ONE_HOT_GAIN = 2.5
_SCALES: dict[str, _Scale] = {
    "gender": _Scale(1, 0.5, 0.38),
    "ancestry": _Scale(3, 0.333, 0.30),
    "age": _Scale(1, 0.48, 0.18),
    "weight": _Scale(1, 0.5, 0.2),
    "muscle": _Scale(1, 0.5, 0.15),
    "face": _Scale(FACE_DIM),
    "outline": _Scale(OUTLINE_DIM, 0.064, 0.075),
    "ears": _Scale(EAR_DIM, 0.088, 0.085),
    "asymmetry": _Scale(ASYMMETRY_DIM),
    "smile": _Scale(1, 0.37, 0.26),
    "brow_raise": _Scale(1, 0.12, 0.13),
    "mouth_open": _Scale(1, 0.04, 0.08),
    "gaze": _Scale(2, 0.0, (0.06, 0.03)),
    "skin_tone": _Scale(1, 3.8, 2.0),
    "skin_tint": _Scale(3, 0.0, 0.03),
    "redness": _Scale(1, 0.55, 0.2),
    "sockets": _Scale(1, 0.5, 0.15),
    "freckles": _Scale(1, 0.06, 0.16),
    "hair_rgb": _Scale(3, (0.27, 0.21, 0.16), (0.17, 0.145, 0.12)),
    "hair_style": _Scale(len(HAIR_STYLES), 0.0, 1.0 / _ONE_HOT_GAIN),
    "hair_volume": _Scale(1, 0.03, 0.02),
    "hair_length": _Scale(1, 0.95, 0.12),
    "hair_wave": _Scale(1, 0.30, 0.30),
    "beard": _Scale(1, 0.10, 0.25),
    "goatee": _Scale(1, 0.5, 0.38),
    "stubble": _Scale(1, 0.12, 0.17),
    "brow_shape": _Scale(BROW_DIM),
    "iris_rgb": _Scale(3, (0.32, 0.21, 0.11), 0.08),
    "lipstick": _Scale(1, 0.18, 0.28),
    "lipstick_shade": _Scale(1, 0.0, 0.58),
    "eye_shadow": _Scale(1, 0.12, 0.22),
    "eye_shadow_shade": _Scale(1, 0.0, 0.58),
    "garment": _Scale(len(GARMENTS), 0.0, 1.0 / _ONE_HOT_GAIN),
    "garment_rgb": _Scale(3, 0.42, 0.20),
    "trim_rgb": _Scale(3, 0.45, 0.20),
}
ATTRIBUTE_DIM = sum(scale.width for scale in _SCALES.values())
_CHOICES = {"hair_style": HAIR_STYLES, "garment": GARMENTS}


def consecutive_slices(widths: Mapping[str, int]) -> dict[str, slice]:
    """Return the slices of consecutive blocks of these widths."""
    ends = np.cumsum(list(widths.values())).tolist()
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


def attribute_slices() -> dict[str, slice]:
    """Return the slice of each attribute in the attribute vector, by field name."""
    return consecutive_slices({name: scale.width for name, scale in _SCALES.items()})


def _filled(name: str) -> NDArray[np.float64]:
    """Return the centres or spreads of all numbers of the attribute vector."""
    values = [np.broadcast_to(getattr(scale, name), scale.width) for scale in _SCALES.values()]
    return np.concatenate(values).astype(np.float64)


_CENTRE, _SPREAD = _filled("centre"), _filled("spread")


def attribute_vector(attributes: Attributes) -> NDArray[np.float32]:
    """Flatten attributes into float32 [ATTRIBUTE_DIM] of about unit standard deviation.

    Choices become one-hot blocks with the value 2.5 at the chosen place.
    """
    numbers: list[float] = []
    for name in _SCALES:
        value = getattr(attributes, name)
        if name in _CHOICES:
            numbers.extend(float(option == value) for option in _CHOICES[name])
        elif isinstance(value, tuple):
            numbers.extend(value)
        else:
            numbers.append(value)
    return ((np.array(numbers) - _CENTRE) / _SPREAD).astype(np.float32)
