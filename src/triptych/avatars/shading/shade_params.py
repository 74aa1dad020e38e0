"""Appearances as flat named tuples of floats, for the compiled kernels."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import fields
from typing import Any, NamedTuple

from triptych.avatars.people.appearance import (
    Appearance,
    BrowAppearance,
    ClothAppearance,
    EyeAppearance,
    HairAppearance,
    LipAppearance,
    MaterialAppearance,
    Rgb,
    SkinAppearance,
)

# One named tuple per appearance class, with the same field names, for compiled code.
SkinParams = namedtuple("SkinParams", [field.name for field in fields(SkinAppearance)])  # type: ignore[misc]
LipParams = namedtuple("LipParams", [field.name for field in fields(LipAppearance)])  # type: ignore[misc]
BrowParams = namedtuple("BrowParams", [field.name for field in fields(BrowAppearance)])  # type: ignore[misc]
HairParams = namedtuple("HairParams", [field.name for field in fields(HairAppearance)])  # type: ignore[misc]
EyeParams = namedtuple("EyeParams", [field.name for field in fields(EyeAppearance)])  # type: ignore[misc]
ClothParams = namedtuple("ClothParams", [field.name for field in fields(ClothAppearance)])  # type: ignore[misc]
MaterialParams = namedtuple(  # type: ignore[misc]
    "MaterialParams", ["enabled", *(field.name for field in fields(MaterialAppearance))]
)


class ShadeParams(NamedTuple):
    """The whole appearance, and the strength of the beard, which is part of the identity."""

    skin: Any
    lips: Any
    brows: Any
    hair: Any
    eyes: Any
    cloth: Any
    material: Any
    teeth_rgb: Rgb
    horn_rgb: Rgb
    beard: float


def shade_params(appearance: Appearance, beard: float) -> ShadeParams:
    """Flatten an appearance for the kernels."""
    material = appearance.material or MaterialAppearance(rgb=(0.5, 0.5, 0.5))
    return ShadeParams(
        skin=SkinParams(*_plain(appearance.skin)),
        lips=LipParams(*_plain(appearance.lips)),
        brows=BrowParams(*_plain(appearance.brows)),
        hair=HairParams(*_plain(appearance.hair)),
        eyes=EyeParams(*_plain(appearance.eyes)),
        cloth=ClothParams(*_plain(appearance.cloth)),
        material=MaterialParams(appearance.material is not None, *_plain(material)),  # type: ignore[call-arg]
        teeth_rgb=_plain_value(appearance.teeth_rgb),
        horn_rgb=_plain_value(appearance.horn_rgb),
        beard=float(beard),
    )


def _plain(part: Any) -> list[Any]:
    return [_plain_value(getattr(part, field.name)) for field in fields(part)]


def _plain_value(value: Any) -> Any:
    """Turn numbers into floats so that the kernels are compiled for one type only."""
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple | list):
        return tuple(float(item) for item in value)
    return float(value)
