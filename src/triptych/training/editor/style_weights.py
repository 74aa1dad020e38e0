"""Sampling of variants: more of those that change the shape, a fixed share of combinations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from triptych.errors import UserError
from triptych.training.style_variants import kind_of

# Materials and filters change colours and are learnt first; creatures change the shape.
KIND_WEIGHTS = {"material": 1.0, "creature": 1.8, "people": 1.2, "picture": 0.8}
# Styles that change little of the picture, or need a new silhouette.
STYLE_WEIGHTS = {
    "elf": 2.2,
    "blue alien": 2.2,
    "child": 1.8,
    "old": 1.6,
    "beard": 1.6,
    "long hair": 1.8,
    "afro": 1.6,
    "bald": 1.6,
    "smiling": 3.0,
    "make-up": 4.0,
    "curly hair": 3.0,
    "oil painting": 1.6,
    "pixel art": 1.6,
}


class VariantSampler:
    """Draws training pairs by variant.

    Args:
        pairs: Indices of the pairs of each variant; a plus sign in a name joins two styles.
        combination_share: Share of combinations among the draws.
    """

    def __init__(self, pairs: Mapping[str, np.ndarray], combination_share: float) -> None:
        self._single = {
            variant: numbers for variant, numbers in pairs.items() if "+" not in variant
        }
        combined = [numbers for variant, numbers in pairs.items() if "+" in variant]
        self._combined = np.concatenate(combined) if combined else np.empty(0, np.int64)
        if not self._single:
            raise UserError("the shards hold no variant but the original; render some with styles")
        self._names = sorted(self._single)
        weights = np.array([variant_weight(name) for name in self._names])
        self._share = weights / weights.sum()
        self._combination_share = combination_share if len(self._combined) else 0.0

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the indices of `count` pairs."""
        combined = rng.random(count) < self._combination_share
        variants = rng.choice(len(self._names), count, p=self._share)
        return np.array(
            [
                rng.choice(self._combined if joined else self._single[self._names[variant]])
                for joined, variant in zip(combined, variants, strict=True)
            ]
        )


def variant_weight(variant: str) -> float:
    """Return how often a variant of one style is drawn, relative to a material."""
    return STYLE_WEIGHTS.get(variant, KIND_WEIGHTS[kind_of(variant)])
