"""Batches of avatars in several style variants, with their ground truth.

Variants are named as in `training.style_variants`; picture filters are applied on the fly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.catalogue import STYLES
from triptych.training.style_variants import drawable_variants, drawn_styles, pictures_of


@dataclass(frozen=True)
class VariantBatch:
    """Pictures of heads with their ground truth.

    Attributes:
        image: Pictures [n, 3, h, w] in [-1, 1].
        regions: Region of every pixel of the original variant [n, h, w], integers.
        regions_known: Whether the regions are valid for the picture's variant as well [n].
        head: Number of the head within its set [n].
        style: Share of each style in the variant [n, number of styles], rows sum to 1.
        attributes: Attribute vector of the head [n, d].
        is_original: Whether the picture shows the original variant [n].
    """

    image: Tensor
    regions: Tensor
    regions_known: Tensor
    head: Tensor
    style: Tensor
    attributes: Tensor
    is_original: Tensor

    def to(self, device: torch.device | str) -> VariantBatch:
        """Return the batch on another device."""
        return VariantBatch(**{name: value.to(device) for name, value in vars(self).items()})


Pick = tuple[int, str, int]
"""A picture to collect: head, variant, view."""


@dataclass(frozen=True)
class VariantShares:
    """Shares of the variants in a batch; the rest are rendered variants.

    Attributes:
        original: Share of pictures of the original variant.
        drawn: Share of pictures of the original variant under a picture filter.
        drawn_combined: Share of pictures of a rendered variant under a picture filter.
    """

    original: float = 0.3
    drawn: float = 0.14
    drawn_combined: float = 0.04


def style_names_in(shards: ShardSet) -> tuple[str, ...]:
    """Return "original", then every style that a set contains, alone or combined."""
    variants = {str(variant) for variant in np.unique(shards.all("variants"))}
    parts = {part for variant in variants for part in variant.split("+")} | set(drawn_styles())
    return (ORIGINAL, *sorted(parts - {ORIGINAL}))


def keeps_regions(variant: str) -> bool:
    """Return whether the region map of the original head is valid for a variant of it.

    Materials and picture filters change colours only; other styles change the geometry.
    """
    if variant == ORIGINAL:
        return True
    drawn = drawn_styles()
    return all(
        part in drawn or (part in STYLES and STYLES[part].kind == "material")
        for part in variant.split("+")
    )


def style_shares(variant: str, names: tuple[str, ...]) -> list[float]:
    """Return the share of each named style in a variant: "old+elf" is half old and half elf.

    Styles that are not named are ignored; the shares of the others still sum to 1.
    """
    present = [names.index(part) for part in variant.split("+") if part in names]
    shares = [0.0] * len(names)
    for index in present:
        shares[index] = 1.0 / len(present)
    return shares


def draw_variant_batch(
    shards: ShardSet,
    names: tuple[str, ...],
    rng: np.random.Generator,
    *,
    heads: int,
    images_per_head: int,
    shares: VariantShares | None = None,
) -> VariantBatch:
    """Draw several pictures of each of several heads, each in a variant and camera of its own.

    Args:
        shards: Heads with variants.
        names: Styles in the order of the style shares.
        rng: Source of the choices.
        heads: Different heads in the batch.
        images_per_head: Pictures of each head.
        shares: Shares of the variants; the default ones when None.
    """
    shares = shares or VariantShares()
    picks: list[Pick] = []
    for head in rng.permutation(len(shards))[:heads]:
        rendered = [str(variant) for variant in shards.get("variants", int(head))]
        for _ in range(images_per_head):
            variant = _draw_variant(rendered, shares, rng)
            picks.append((int(head), variant, int(rng.integers(shards.num_views))))
    return variant_batch(shards, names, picks)


def _draw_variant(rendered: list[str], shares: VariantShares, rng: np.random.Generator) -> str:
    place = rng.random()
    if place < shares.original:
        return ORIGINAL
    place -= shares.original
    if place < shares.drawn:
        return str(rng.choice(drawn_styles()))
    if place - shares.drawn < shares.drawn_combined and (both := drawable_variants(rendered)):
        return str(rng.choice(both))
    return str(rng.choice(rendered[1:] or rendered))


def expected_style_shares(
    shards: ShardSet, names: tuple[str, ...], shares: VariantShares | None = None
) -> list[float]:
    """Return the expected share of each named style in the batches of `draw_variant_batch`."""
    shares = shares or VariantShares()
    drawn = drawn_styles()
    total = np.zeros(len(names))

    def add(variants: list[str], share: float) -> None:
        for variant in variants:
            total[:] += share / len(variants) * np.array(style_shares(variant, names))

    for head in range(len(shards)):
        rendered = [str(variant) for variant in shards.get("variants", head)]
        both = drawable_variants(rendered)
        combined = shares.drawn_combined if both else 0.0
        add([ORIGINAL], shares.original)
        add(drawn, shares.drawn)
        add(both, combined)
        add(rendered[1:] or rendered, 1 - shares.original - shares.drawn - combined)
    return list(total / len(shards))


def variant_batch(shards: ShardSet, names: tuple[str, ...], picks: list[Pick]) -> VariantBatch:
    """Collect pictures into a batch."""
    variants = [variant for _, variant, _ in picks]
    regions = np.stack([shards.get("regions", head)[view] for head, _, view in picks])
    attributes = np.stack([shards.get("attributes", head) for head, _, _ in picks])
    return VariantBatch(
        image=torch.cat(
            [pictures_of(shards, head, variant, [view]) for head, variant, view in picks]
        ),
        regions=torch.from_numpy(regions).long(),
        regions_known=torch.tensor([keeps_regions(variant) for variant in variants]),
        head=torch.tensor([head for head, _, _ in picks]),
        style=torch.tensor([style_shares(variant, names) for variant in variants]),
        attributes=torch.from_numpy(attributes),
        is_original=torch.tensor([variant == ORIGINAL for variant in variants]),
    )
