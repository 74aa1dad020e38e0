"""Every recipe on a device that is not the CPU: a step, an evaluation, a sheet."""

from __future__ import annotations

import pytest
import torch
from pretended_device import DEVICE, pretended_device

from triptych.training.editor import recipe as editor
from triptych.training.editor import vae as editor_vae
from triptych.training.features import classifier
from triptych.training.generator import Options as GeneratorOptions
from triptych.training.generator import build as build_generator
from triptych.training.loop import Progress, TrainingResult
from triptych.training.recipes import RECIPES, recipe_module

ON_DEVICE = str(DEVICE)


@pytest.fixture(autouse=True)
def _device():
    with pretended_device() as device:
        yield device


def runs(recipe, tmp_path) -> None:
    """Make a step, then look at the modules as the loop does."""
    loss, figures = recipe.loss(Progress(0, 0.9), torch.Generator().manual_seed(0))
    assert loss.device == DEVICE
    loss.backward()
    learnt = [p for m in recipe.modules.values() for p in m.parameters() if p.requires_grad]
    assert {parameter.device for parameter in learnt} == {DEVICE}
    assert all(isinstance(value, float) for value in figures.values())
    modules = {name: module.eval() for name, module in recipe.modules.items()}
    assert all(isinstance(value, float) for value in recipe.evaluate(modules).values())
    recipe.sheet(modules, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").exists()


@pytest.mark.thorough
def test_the_generator(made_up_shards, tmp_path):
    shards = str(made_up_shards(100_000, ["original"], heads=3, views=3, size=64))
    options = GeneratorOptions(
        shards, shards, batch_heads=2, batch_views=2, patch=8, device=ON_DEVICE
    )
    runs(build_generator(options), tmp_path)


def test_features_and_the_classifier(made_up_shards, tmp_path):
    shards = str(made_up_shards(100_000, heads=8))
    runs(classifier.build(classifier.Options(shards, shards, device=ON_DEVICE)), tmp_path)


@pytest.mark.slow
def test_the_editor_and_its_autoencoder(made_up_shards, tmp_path):
    shards, test = str(made_up_shards(100_000)), str(made_up_shards(5_000, heads=2))
    vae = editor_vae.build(
        editor_vae.Options(shards=(shards,), test_shards=test, batch=2, crop=16, device=ON_DEVICE)
    )
    runs(vae, tmp_path)
    editor_vae.export(vae, TrainingResult({"vae": vae.vae}, 1, {}), tmp_path / "vae")
    options = editor.Options(
        shards=(shards,),
        test_shards=test,
        vae=str(tmp_path / "vae"),
        latents=str(tmp_path / "latents"),
        batch=4,
        unet_channels=(16, 32),
        device=ON_DEVICE,
    )
    recipe = editor.build(options)
    recipe.examples.variants = recipe.examples.variants[:1]
    runs(recipe, tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_device(name):
    assert recipe_module(name).Options(device=ON_DEVICE).device == ON_DEVICE
