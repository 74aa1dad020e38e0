"""Which attributes of an avatar each region is given: those that decide how it looks, no others.

A region's shape code comes from attributes of shape and its texture code from attributes of
colour. So a swapped region brings along all that made it and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.models.attributes import ATTRIBUTE_DIM, attribute_slices

_HEAD = ("gender", "ancestry", "age", "weight", "muscle", "face", "outline", "asymmetry")
_SKIN = ("skin_tone", "skin_tint", "redness", "sockets", "freckles", "gender", "ancestry", "age")
_BEARD = ("beard", "goatee", "stubble", "hair_rgb")
_EXPRESSION = ("smile", "mouth_open", "brow_raise")

_SHAPE: dict[str, tuple[str, ...]] = {
    "background": (),
    "face": (*_HEAD, *_EXPRESSION, "beard", "goatee"),
    "eyes": (*_HEAD, *_EXPRESSION, "gaze"),
    "brows": (*_HEAD, *_EXPRESSION, "brow_shape"),
    "mouth": (*_HEAD, *_EXPRESSION),
    "nose": (*_HEAD, *_EXPRESSION),
    "ears": (*_HEAD, "ears"),
    "hair": (*_HEAD, "hair_style", "hair_volume", "hair_length", "hair_wave"),
    "neck-cloth": (*_HEAD, "garment"),
}
_TEXTURE: dict[str, tuple[str, ...]] = {
    "background": (),
    "face": (*_SKIN, *_BEARD, "eye_shadow", "eye_shadow_shade", "hair_style"),
    "eyes": (*_SKIN, "iris_rgb", "gaze", "eye_shadow", "eye_shadow_shade"),
    "brows": (*_SKIN, "hair_rgb", "brow_shape"),
    "mouth": (*_SKIN, *_BEARD, "lipstick", "lipstick_shade"),
    "nose": _SKIN,
    "ears": _SKIN,
    "hair": ("hair_rgb", "hair_style", "hair_wave", "age"),
    "neck-cloth": (*_SKIN, "garment", "garment_rgb", "trim_rgb"),
}


def attribute_masks(regions: Sequence[str]) -> Tensor:
    """Return which attributes each code is made of [2 * regions, ATTRIBUTE_DIM], 0 or 1.

    Args:
        regions: Names in order; see `regions.AVATAR_ORDER`.

    Raises:
        UserError: A region is none of an avatar.
    """
    slices = attribute_slices()
    masks = torch.zeros(2 * len(regions), ATTRIBUTE_DIM)
    for index, region in enumerate(regions):
        if region not in _SHAPE:
            raise UserError(
                f"regions: got '{region}'; the attributes of avatars are known for "
                f"{', '.join(_SHAPE)}"
            )
        for row, names in ((2 * index, _SHAPE[region]), (2 * index + 1, _TEXTURE[region])):
            for name in names:
                masks[row, slices[name]] = 1.0
    return masks
