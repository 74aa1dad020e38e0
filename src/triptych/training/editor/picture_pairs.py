"""Pairs of pictures of one head from one camera: as it is, and in a style.

Targets are always renders of the avatar. Sources are too, or what a portrait shows of the same
head: at inference an editor reads renders of portraits, which are softer and slightly misplaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.training.editor.style_weights import VariantSampler
from triptych.training.style_variants import (
    drawable_variants,
    drawn_styles,
    pictures_of,
    rendered_variants,
)

SourceKey = tuple[int, int, int]
"""Set, head and camera of a source; sets of portraits count on from those of avatars."""


@dataclass(frozen=True)
class PicturePair:
    """A picture and what an edit should make of it.

    Attributes:
        source: The head as it is [3,h,w] in [-1,1].
        target: The head in the variant [3,h,w] in [-1,1].
        regions: Region map of the original avatar [h,w], integers.
        variant: Name of the variant.
        key: Identity of the source picture, for caches.
    """

    source: Tensor
    target: Tensor
    regions: Tensor
    variant: str
    key: SourceKey


class PicturePairs:
    """Draws pairs by variant from shards.

    Args:
        avatars: Rendered heads with variants.
        portraits: The same heads with other pictures of the original, found by seed.
        portrait_share: Share of the sources taken from `portraits` where there is one.
        combination_share: Share of the pairs whose variant combines two styles.
    """

    def __init__(
        self,
        avatars: Sequence[ShardSet],
        portraits: Sequence[ShardSet] = (),
        portrait_share: float = 0.4,
        combination_share: float = 0.12,
    ) -> None:
        self.sets = [*avatars, *portraits]
        self.portrait_share = portrait_share
        self._targets: list[tuple[int, int, str]] = []
        by_variant: dict[str, list[int]] = {}
        for number, shards in enumerate(avatars):
            for head in range(len(shards)):
                for variant in _variants(shards, head):
                    by_variant.setdefault(variant, []).append(len(self._targets))
                    self._targets.append((number, head, variant))
        self._sampler = VariantSampler(
            {variant: np.array(found) for variant, found in by_variant.items()}, combination_share
        )
        self._portraits: dict[int, list[tuple[int, int]]] = {}
        for number, shards in enumerate(portraits, start=len(avatars)):
            for head, seed in enumerate(shards.all("seeds").tolist()):
                self._portraits.setdefault(seed, []).append((number, head))

    def __len__(self) -> int:
        return len(self._targets)

    def draw(self, count: int, rng: np.random.Generator) -> list[PicturePair]:
        """Draw pairs; cameras are drawn uniformly."""
        return [self._pair(int(index), rng) for index in self._sampler.draw(count, rng)]

    def _pair(self, index: int, rng: np.random.Generator) -> PicturePair:
        number, head, variant = self._targets[index]
        shards = self.sets[number]
        view = int(rng.integers(shards.num_views))
        place = (number, head)
        others = self._portraits.get(int(shards.get("seeds", head)), [])
        if others and rng.random() < self.portrait_share:
            place = others[int(rng.integers(len(others)))]
        regions = np.array(shards.get("regions", head)[view])
        return PicturePair(
            source=pictures_of(self.sets[place[0]], place[1], ORIGINAL, [view])[0],
            target=pictures_of(shards, head, variant, [view])[0],
            regions=torch.from_numpy(regions).long(),
            variant=variant,
            key=(*place, view),
        )


def _variants(shards: ShardSet, head: int) -> list[str]:
    """Return what a head can become: rendered variants, drawings, and drawings of the former."""
    rendered = rendered_variants(shards, head)
    variants = [*rendered[1:], *drawn_styles(), *drawable_variants(rendered)]
    return list(dict.fromkeys(variants))
