"""One recipe per network. A recipe module offers:

Options                     frozen dataclass: data folders, batch, loss weights
LOOP                        a LoopConfig with this recipe's optimiser settings and no budget
build(options) -> Recipe
export(recipe, result, out) write the averaged weights in the form the package embeds
"""

from __future__ import annotations

import importlib
from types import ModuleType

from triptych.errors import UserError

RECIPES = {
    "generator": "triptych.training.recipes.generator",
    "features": "triptych.training.recipes.features",
    "classifier": "triptych.training.recipes.classifier",
    "editor-vae": "triptych.training.recipes.editor_vae",
    "editor": "triptych.training.recipes.editor",
    "i2t": "triptych.training.recipes.image_to_triplane",
    "landmarks": "triptych.training.recipes.landmarks",
    "psp": "triptych.training.recipes.psp",
}


def recipe_module(name: str) -> ModuleType:
    """Return the module of a recipe by its name.

    Raises:
        UserError: There is no such recipe.
    """
    if name not in RECIPES:
        raise UserError(f"unknown recipe '{name}'; known recipes: {', '.join(RECIPES)}")
    return importlib.import_module(RECIPES[name])
