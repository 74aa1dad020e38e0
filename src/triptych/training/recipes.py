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
    "generator": "triptych.training.generator",
    "features": "triptych.training.features.recipe",
    "classifier": "triptych.training.features.classifier",
    "editor-vae": "triptych.training.editor.vae",
    "editor": "triptych.training.editor.recipe",
    "editor-pixels": "triptych.training.editor.pixels",
    "i2t": "triptych.systems.stylize.recipe",
    "landmarks": "triptych.training.landmarks.recipe",
    "compose-volume": "triptych.systems.compose.training.stage_one",
    "compose-decoder": "triptych.systems.compose.training.stage_two",
    "composer": "triptych.systems.compose.training.supervised",
    "composer-decoder": "triptych.systems.compose.training.supervised_decoder",
    "live3d": "triptych.systems.edit.training.stage_one",
    "edit": "triptych.systems.edit.training.stage_two",
    "live3d-avatars": "triptych.systems.edit.training.avatar_base",
    "edit-avatars": "triptych.systems.edit.training.avatar_edit",
    "adapt": "triptych.systems.adapt.training.published",
    "adapt-avatars": "triptych.systems.adapt.training.avatar_styles",
    "psp": "triptych.systems.invert.training.recipe",
}


STAGES = {"compose": {1: "compose-volume", 2: "compose-decoder"}}
"""Systems whose published training has stages, each a recipe of its own."""


def recipe_name(name: str, stage: int | None) -> str:
    """Return the name of a recipe, or of the stage of a system.

    Raises:
        UserError: A system has stages and none is given, or the other way round.
    """
    if name in STAGES:
        if stage not in STAGES[name]:
            known = " or ".join(f"--stage {number} ({of})" for number, of in STAGES[name].items())
            raise UserError(f"{name} is trained in stages: give {known}")
        return STAGES[name][stage]
    if stage is not None:
        raise UserError(f"{name} has no stages; leave out --stage, or train {', '.join(STAGES)}")
    return name


def recipe_module(name: str) -> ModuleType:
    """Return the module of a recipe by its name.

    Raises:
        UserError: There is no such recipe.
    """
    if name not in RECIPES:
        raise UserError(f"unknown recipe '{name}'; known recipes: {', '.join(RECIPES)}")
    return importlib.import_module(RECIPES[name])
