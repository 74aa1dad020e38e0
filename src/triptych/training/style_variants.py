"""Style variants of a rendered head, including those that only filter its picture.

A variant is named by its styles: "bronze", "old+elf". A picture style ("pencil sketch") may come
last; it is computed from the picture of the variant before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.catalogue import STYLES
from triptych.avatars.styles.filters import apply_filter
from triptych.avatars.styles.style import can_combine, unchanged
from triptych.ops.colour import from_uint8


def drawn_styles() -> list[str]:
    """Return the styles that only filter the picture (the cartoon also changes the geometry)."""
    return [
        name
        for name, style in STYLES.items()
        if style.picture_filter is not None and style.transform is unchanged
    ]


def kind_of(variant: str) -> str:
    """Return the kind of a variant: that of its style, or "combination" of two."""
    return "combination" if "+" in variant else STYLES[variant].kind


def rendered_variants(shards: ShardSet, head: int) -> list[str]:
    """Return the names of a head's rendered variants, the original first."""
    return [str(name) for name in shards.get("variants", head)]


def drawable_variants(rendered: Sequence[str]) -> list[str]:
    """Return every valid combination of a rendered single style with a drawn style."""
    drawn = drawn_styles()
    single = [variant for variant in rendered if variant != ORIGINAL and "+" not in variant]
    return [
        f"{variant}+{style}"
        for variant in single
        for style in drawn
        if can_combine(STYLES[variant], STYLES[style])
    ]


def pictures_of(shards: ShardSet, head: int, variant: str, views: Sequence[int]) -> Tensor:
    """Return pictures of a variant from some of its cameras [len(views), 3, h, w] in [-1, 1].

    Args:
        shards: The rendered heads.
        head: Index of the head.
        variant: A rendered variant, or one with a drawn style ("bronze+pencil sketch"); a drawn
            style alone filters the original.
        views: Indices of the cameras.
    """
    rendered = rendered_variants(shards, head)
    if variant in rendered:
        return _images(shards.get("rgb", head)[rendered.index(variant), list(views)])
    base, _, drawn = variant.rpartition("+")
    images = pictures_of(shards, head, base or ORIGINAL, views)
    alpha = None if base else _opacity(shards.get("alpha", head)[list(views)])
    name = STYLES[drawn].picture_filter
    assert name is not None, f"{variant} was not rendered"
    return apply_filter(name, images, alpha)


def _images(pixels: np.ndarray) -> Tensor:
    return from_uint8(torch.from_numpy(np.ascontiguousarray(pixels)))


def _opacity(alpha: np.ndarray) -> Tensor:
    """Return uint8 alpha [n,h,w] as opacity [n, 1, h, w] in 0..1."""
    return torch.from_numpy(alpha.astype(np.float32))[:, None] / 255
