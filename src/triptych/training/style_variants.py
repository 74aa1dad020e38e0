"""Looks of a rendered head, those included that need no rendering, only a picture filter.

A look is named like the styles it wears: "bronze", "old+elf". A picture style ("pencil sketch")
may come last and is then computed from the picture of the look before it.
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
    """Return the styles that only filter the picture (a cartoon also reshapes the head)."""
    return [
        name
        for name, style in STYLES.items()
        if style.picture_filter is not None and style.transform is unchanged
    ]


def kind_of(variant: str) -> str:
    """Return the kind of a look: that of its style, or "combination" of two."""
    return "combination" if "+" in variant else STYLES[variant].kind


def rendered_variants(shards: ShardSet, head: int) -> list[str]:
    """Return the names of a head's rendered looks, the original first."""
    return [str(name) for name in shards.get("variants", head)]


def drawable_variants(rendered: Sequence[str]) -> list[str]:
    """Return every combination of a rendered single style with a drawn style that makes sense."""
    drawn = drawn_styles()
    single = [variant for variant in rendered if variant != ORIGINAL and "+" not in variant]
    return [
        f"{variant}+{style}"
        for variant in single
        for style in drawn
        if can_combine(STYLES[variant], STYLES[style])
    ]


def pictures_of(shards: ShardSet, head: int, variant: str, views: Sequence[int]) -> Tensor:
    """Return a head's look from some of its cameras [len(views),3,h,w] in [-1,1].

    Args:
        shards: The rendered heads.
        head: Which head.
        look: A rendered look, or one with a drawn style ("bronze+pencil sketch"; a drawn style
            alone is one of the original).
        views: Which cameras.
    """
    rendered = rendered_variants(shards, head)
    if variant in rendered:
        return _images(shards.get("rgb", head)[rendered.index(variant), list(views)])
    base, _, drawn = variant.rpartition("+")
    images = pictures_of(shards, head, base or ORIGINAL, views)
    alpha = None if base else _coverage(shards.get("alpha", head)[list(views)])
    name = STYLES[drawn].picture_filter
    assert name is not None, f"{variant} was not rendered"
    return apply_filter(name, images, alpha)


def _images(pixels: np.ndarray) -> Tensor:
    return from_uint8(torch.from_numpy(np.ascontiguousarray(pixels)))


def _coverage(alpha: np.ndarray) -> Tensor:
    """Return uint8 alpha [n,h,w] as coverage [n,1,h,w] in 0..1."""
    return torch.from_numpy(alpha.astype(np.float32))[:, None] / 255
