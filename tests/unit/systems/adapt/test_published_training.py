"""The published training at toy size: who learns, what its choices do, that it resumes."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from PIL import Image
from toy_portraits import tiny_generator

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.systems.adapt.losses import StyleLossWeights
from triptych.systems.adapt.training import published
from triptych.training.loop import Progress, train
from triptych.weights import load_network, save_module

ENCODER = {
    "image_size": 32,
    "widths": [2, 2, 2, 2],
    "units": [1, 1, 1, 1],
    "head_width": 2,
    "heads": [2, 2, 4],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three artworks with their cameras, and a generator."""
    folder = tmp_path_factory.mktemp("artworks")
    labels = []
    for index in range(3):
        Image.new("RGB", (32, 32), (200, 30 * index, 30)).save(folder / f"{index}.png")
        camera = look_at_camera(0.1 * index, 0.0).label25()[0]
        labels.append([f"{index}.png", [float(number) for number in camera]])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    save_module(folder / "generator.safetensors", tiny_generator(), dtype=None)
    return folder


def options(folder, **chosen) -> published.Options:
    return published.Options(
        generator=str(folder / "generator.safetensors"),
        pictures=str(folder),
        encoder=ENCODER,
        discriminator_base=64,
        networks="embedded",
        **chosen,
    )


def stepped(recipe, step=0) -> tuple[dict[str, set[str]], dict[str, float]]:
    """Return the parts of each module that get a gradient in a step, and its figures."""
    loss, figures = recipe.loss(Progress(step, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    learning = {
        name: {key.split(".")[0] for key, p in module.named_parameters() if p.grad is not None}
        for name, module in recipe.modules.items()
    }
    return learning, figures


def test_planes_encoder_and_discriminator_learn(folder):
    recipe = published.build(options(folder))
    learning, figures = stepped(recipe)
    assert learning["generator"] == {"backbone"}
    assert {"input_layer", "body", "styles"} <= learning["encoder"]
    assert "b4" in learning["discriminator"]
    assert figures.keys() >= {"content", "style", "density", "identity", "adversarial", "d"}
    assert recipe.encoder.training
    betas = [group.betas for group in recipe.groups()]
    assert betas == [None, (0.0, 0.999), (0.0, 0.99)]


def test_the_choices_of_the_recipe(folder):
    """Before its start the discriminator is neither asked nor trained; norms may be averages."""
    chosen = options(
        folder,
        adversarial_from=5,
        batch_norm="eval",
        modres="off",
        rgb_gain="once",
        start="unstyled",
        weights=StyleLossWeights(style=0.0),
    )
    recipe = published.build(chosen)
    learning, figures = stepped(recipe)
    assert not learning["discriminator"]
    assert "adversarial" not in figures
    assert figures["content"] == pytest.approx(0, abs=1e-2)  # jittered samples alone differ
    assert not recipe.encoder.training
    for wrong, said in (
        ({"start": "unstyled"}, "needs modres 'off'"),
        ({"discriminator": str(folder / "absent.safetensors")}, "there is no file"),
    ):
        with pytest.raises(UserError, match=said):
            published.build(options(folder, **wrong))
    with pytest.raises(UserError, match=r"encoder: got heads .*; the generator takes"):
        published.build(
            dataclasses.replace(options(folder), encoder={**ENCODER, "heads": [1, 1, 1]})
        )


@pytest.mark.slow
def test_a_run_resumes_and_writes_both_networks(folder, tmp_path):
    quick = dataclasses.replace(published.LOOP, steps=1, threads=1, adaptive_threads=False)
    for steps in (1, 2):
        recipe = published.build(options(folder))
        result = train(recipe, quick, tmp_path)
        assert result.step == steps
    assert {"content", "style", "identity"} == result.metrics.keys()
    published.export(recipe, result, tmp_path / "out")
    generator = load_network(tmp_path / "out" / "generator.safetensors", "styled-generator")
    encoder = load_network(tmp_path / "out" / "style-encoder.safetensors", "style-encoder")
    code = encoder(torch.zeros(1, 3, 32, 32))
    assert generator.folded(code).config.image_size == 32
