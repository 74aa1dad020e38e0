"""The style classifier of evaluations: a feature network of another seed, with more augmentation.

It classifies styles and identifies heads in the output of other models. No model is trained against
it, so that its measurements are independent of any loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from triptych.training.features import recipe as features
from triptych.training.features.recipe import FeaturesRecipe, export

LOOP = replace(features.LOOP, seed=1)

__all__ = ["LOOP", "Options", "build", "export"]


@dataclass(frozen=True)
class Options(features.Options):
    """As for the feature network, with more weight on style and identity.

    Attributes:
        init_seed: Seed of the initial weights, different from the loss network's.
        augmentation: Factor on the ranges of all random changes.
        style: Weight of the style term.
        identity: Weight of the contrastive identity term.
        even_styles: Assume a uniform prior over styles, however often each is drawn.
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
