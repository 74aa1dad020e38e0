"""The judge of evaluations: the feature network again, other seed, wider augmentation.

It names styles and recognises heads in pictures that other models made. No model is ever trained
against it, so it cannot be flattered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from triptych.training.features import recipe as features
from triptych.training.features.recipe import FeaturesRecipe, export

LOOP = replace(features.LOOP, seed=1)

__all__ = ["LOOP", "Options", "build", "export"]


@dataclass(frozen=True)
class Options(features.Options):
    """As for the feature network, with more weight on the questions a judge is asked.

    Attributes:
        init_seed: Seed of the fresh weights, another than the loss network's.
        augmentation: Factor on the ranges of all random changes.
        style: Weight of the style term.
        identity: Weight of the contrastive identity term.
        even_styles: Take every style for equally likely beforehand, however often it is drawn.
    """

    init_seed: int = 1
    augmentation: float = 1.6
    style: float = 1.5
    identity: float = 1.0
    even_styles: bool = True


def build(options: Options) -> FeaturesRecipe:
    """Build the recipe with a fresh or given network."""
    recipe = FeaturesRecipe(options)
    recipe.name = "classifier"
    return recipe
