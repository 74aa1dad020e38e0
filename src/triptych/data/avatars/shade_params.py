"""The border to the compiled kernels: looks as flat named tuples of plain floats."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import fields
from typing import Any, NamedTuple

from triptych.data.avatars.look import (
    BrowLook,
    ClothLook,
    EyeLook,
    HairLook,
    LipLook,
    Look,
    MaterialLook,
    Rgb,
    SkinLook,
)

# One named tuple per look class, with the same field names, which compiled code can read.
SkinParams = namedtuple("SkinParams", [field.name for field in fields(SkinLook)])  # type: ignore[misc]
LipParams = namedtuple("LipParams", [field.name for field in fields(LipLook)])  # type: ignore[misc]
BrowParams = namedtuple("BrowParams", [field.name for field in fields(BrowLook)])  # type: ignore[misc]
HairParams = namedtuple("HairParams", [field.name for field in fields(HairLook)])  # type: ignore[misc]
EyeParams = namedtuple("EyeParams", [field.name for field in fields(EyeLook)])  # type: ignore[misc]
ClothParams = namedtuple("ClothParams", [field.name for field in fields(ClothLook)])  # type: ignore[misc]
MaterialParams = namedtuple(  # type: ignore[misc]
    "MaterialParams", ["enabled", *(field.name for field in fields(MaterialLook))]
)


class ShadeParams(NamedTuple):
    """All looks; the strength of the painted beard belongs to the identity."""

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


def shade_params(look: Look, beard: float) -> ShadeParams:
    """Flatten a look for the kernels."""
    material = look.material or MaterialLook(rgb=(0.5, 0.5, 0.5))
    return ShadeParams(
        skin=SkinParams(*_plain(look.skin)),
        lips=LipParams(*_plain(look.lips)),
        brows=BrowParams(*_plain(look.brows)),
        hair=HairParams(*_plain(look.hair)),
        eyes=EyeParams(*_plain(look.eyes)),
        cloth=ClothParams(*_plain(look.cloth)),
        material=MaterialParams(look.material is not None, *_plain(material)),  # type: ignore[call-arg]
        teeth_rgb=_plain_value(look.teeth_rgb),
        horn_rgb=_plain_value(look.horn_rgb),
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
