"""Batches of avatars in several looks: pictures with all that is known about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.data.avatars.shards import ORIGINAL, ShardSet

# A style of these kinds repaints a head but leaves every region where it was.
_KINDS_THAT_KEEP_REGIONS = ("material", "picture")


@dataclass(frozen=True)
class LookBatch:
    """Pictures of heads and what is known about each.

    Attributes:
        image: Pictures [n, 3, h, w] in [-1, 1].
        regions: Region of every pixel of the original look [n, h, w], integers.
        regions_known: Whether the regions hold for the picture's look as well [n].
        head: Number of the head within its set [n].
        style: Share of each style in the look [n, number of styles], rows sum to 1.
        attributes: Attribute vector of the head [n, d].
        is_original: Whether the picture shows the head as it is [n].
    """

    image: Tensor
    regions: Tensor
    regions_known: Tensor
    head: Tensor
    style: Tensor
    attributes: Tensor
    is_original: Tensor

    def to(self, device: torch.device | str) -> LookBatch:
        """Return the batch on another device."""
        return LookBatch(**{name: value.to(device) for name, value in vars(self).items()})


def style_names_in(shards: ShardSet) -> tuple[str, ...]:
    """Return "original", then every style that occurs in a set's looks, alone or combined."""
    looks = {str(look) for look in np.unique(shards.all("looks"))}
    parts = {part for look in looks for part in look.split("+")} - {ORIGINAL}
    return (ORIGINAL, *sorted(parts))


def keeps_regions(look: str) -> bool:
    """Return whether the region map of the original head holds for a look of it."""
    if look == ORIGINAL:
        return True
    from triptych.data.avatars.styles import STYLES

    parts = look.split("+")
    return all(p in STYLES and STYLES[p].kind in _KINDS_THAT_KEEP_REGIONS for p in parts)


def style_shares(look: str, names: tuple[str, ...]) -> list[float]:
    """Return the share of each named style in a look: "old+elf" is half old and half elf.

    A style without a name counts for nothing; the shares of the others still sum to 1.
    """
    present = [names.index(part) for part in look.split("+") if part in names]
    shares = [0.0] * len(names)
    for index in present:
        shares[index] = 1.0 / len(present)
    return shares


def draw_look_batch(
    shards: ShardSet,
    names: tuple[str, ...],
    rng: np.random.Generator,
    *,
    heads: int,
    images_per_head: int,
    original_share: float = 0.3,
) -> LookBatch:
    """Draw several pictures of each of several heads, every one in its own look and camera.

    Args:
        shards: Heads with looks.
        names: Styles in the order of the style shares.
        rng: Source of the choices.
        heads: Different heads in the batch.
        images_per_head: Pictures of each head.
        original_share: Share of pictures in the original look.
    """
    chosen = rng.permutation(len(shards))[:heads]
    picks = []
    for head in chosen:
        num_looks = len(shards.get("looks", head))
        for _ in range(images_per_head):
            styled = num_looks > 1 and rng.random() >= original_share
            look = int(rng.integers(1, num_looks)) if styled else 0
            picks.append((int(head), look, int(rng.integers(shards.num_views))))
    return look_batch(shards, names, picks)


def look_batch(
    shards: ShardSet, names: tuple[str, ...], picks: list[tuple[int, int, int]]
) -> LookBatch:
    """Collect the pictures of (head, look, view) triples into a batch."""
    looks = [str(shards.get("looks", head)[look]) for head, look, _ in picks]
    rgb = np.stack([shards.get("rgb", head)[look, view] for head, look, view in picks])
    regions = np.stack([shards.get("regions", head)[view] for head, _, view in picks])
    attributes = np.stack([shards.get("attributes", head) for head, _, _ in picks])
    return LookBatch(
        image=torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1,
        regions=torch.from_numpy(regions).long(),
        regions_known=torch.tensor([keeps_regions(look) for look in looks]),
        head=torch.tensor([head for head, _, _ in picks]),
        style=torch.tensor([style_shares(look, names) for look in looks]),
        attributes=torch.from_numpy(attributes),
        is_original=torch.tensor([look == ORIGINAL for look in looks]),
    )
