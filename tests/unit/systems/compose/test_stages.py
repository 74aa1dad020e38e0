"""Both published training stages: who learns when, that chunks are one batch, that runs resume."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from training_processes import assert_shared_gradients, train_in_processes

from triptych.errors import UserError
from triptych.systems.compose.data.class_maps import numbering
from triptych.systems.compose.data.writing import write_region_set
from triptych.systems.compose.pipeline import ComposePipeline
from triptych.systems.compose.training import stage_one, stage_two
from triptych.systems.compose.training.chunks import check_chunks, in_chunks
from triptych.training.loop import LoopConfig, Progress, train
from triptych.training.recipes import recipe_module

QUIET = {"threads": 1, "adaptive_threads": False, "warmup_steps": 1}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three pictures of noise with maps of bands of classes, at 32 and 16 pixels."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for kind in ("photos", "masks"):
        (folder / kind).mkdir()
    bands = np.uint8(np.arange(32)[:, None] * 19 // 32 + np.zeros((1, 32), int))
    for name in "abc":
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{name}.png")
        Image.fromarray(bands).save(folder / "masks" / f"{name}.png")
    out = folder / "set"
    write_region_set(
        folder / "photos", folder / "masks", out, numbering("celebamask"), sizes=(32, 16)
    )
    return out


@pytest.fixture(scope="module")
def first_options(pictures):
    return stage_one.Options(
        str(pictures),
        style_dim=8,
        hidden=6,
        size=16,
        num_samples=4,
        volume_widths=(4, 4, 4, 4),
        semantic_widths=(4, 4, 4),
        sphere_steps=2,
        batch=2,
        chunk=1,
    )


@pytest.fixture(scope="module")
def volume(first_options, tmp_path_factory):
    """The run folder and the weights of a first stage of six steps, stopped after four."""
    folder = tmp_path_factory.mktemp("volume")
    loop = LoopConfig(**{**vars(stage_one.LOOP), **QUIET})
    for steps in (4, 2):
        recipe = stage_one.build(first_options)
        result = train(recipe, _with(loop, steps), folder / "run")
    assert result.step == 6
    stage_one.export(recipe, result, folder / "volume.safetensors")
    return folder, result


def _with(loop: LoopConfig, steps: int) -> LoopConfig:
    return LoopConfig(**{**vars(loop), "steps": steps})


def _touched(module: torch.nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.grad is not None}


def test_recipes_are_known_by_name():
    assert recipe_module("compose-volume") is stage_one
    assert recipe_module("compose-decoder") is stage_two


def test_first_the_sphere_then_the_networks_take_turns(first_options):
    recipe, rng = stage_one.build(first_options), torch.Generator().manual_seed(0)
    parts = recipe.generator, recipe.volume, recipe.semantic

    def learned_in(step: int) -> list[set[str]]:
        for part in parts:
            part.zero_grad()
        loss, figures = recipe.loss(Progress(step, 0.0), rng)
        loss.backward()
        assert all(np.isfinite(value) for value in figures.values())
        return [_touched(part) for part in parts]

    generator, volume, semantic = learned_in(0)
    assert (volume, semantic) == (set(), set())
    assert {name.partition(".")[0] for name in generator} == {"style", "renderer"}
    assert all("init_network" in name for name in generator if "renderer" in name)
    generator, volume, semantic = learned_in(2)
    assert generator == set()
    assert len(volume) == len(list(recipe.volume.parameters()))
    assert len(semantic) == len(list(recipe.semantic.parameters()))
    generator, volume, semantic = learned_in(3)
    assert (volume, semantic) == (set(), set())
    still = {name for name, _ in recipe.generator.named_parameters()} - generator
    # The first shape is frozen; nothing reads the features yet but the colours.
    assert {".".join(name.split(".")[:2]) for name in still} == {"renderer.init_network"}


def test_a_stopped_first_stage_goes_on_and_its_weights_open(volume, first_options):
    folder, result = volume
    state = torch.load(folder / "run" / "checkpoint.pt", weights_only=True)
    assert (state["step"], len(state["optimiser"]["param_groups"])) == (6, 2)
    rates = [group["rate_gain"] for group in state["optimiser"]["param_groups"]]
    assert rates == [1.0, 10.0]
    assert 0 <= result.metrics["opacity"] <= 1
    pipeline = ComposePipeline.from_pretrained(folder / "volume.safetensors")
    assert pipeline(3, truncation_psi=1.0).render(size=16, path="exact").image.isfinite().all()


def test_the_second_stage_learns_the_decoder_alone(volume, pictures, tmp_path):
    options = stage_two.Options(
        str(pictures),
        str(volume[0] / "volume.safetensors"),
        feature_width=4,
        style_dim=8,
        mapping_layers=2,
        decoder_widths=(6, 4),
        full_widths=(4, 4, 4, 4),
        batch=2,
        chunk=2,
    )
    recipe = stage_two.build(options)
    before = {name: p.clone() for name, p in recipe.generator.named_parameters()}
    loop = LoopConfig(**{**vars(stage_two.LOOP), **QUIET})
    result = train(recipe, _with(loop, 4), tmp_path / "run")
    changed = {
        name.partition(".")[0]
        for name, p in recipe.generator.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert changed == {"feature_transfer", "decoder"}
    length = float(recipe.full.mean_path_length)
    assert length > 0
    again = stage_two.build(options)
    assert train(again, _with(loop, 1), tmp_path / "run").step == 5
    assert float(again.full.mean_path_length) == pytest.approx(length), "kept with the run"
    averaged = dict(result.averaged["generator"].named_buffers())
    for name, buffer in recipe.generator.named_buffers():
        assert torch.equal(buffer, averaged[name])
    stage_two.export(recipe, result, tmp_path / "composer.safetensors")
    assert ComposePipeline.from_pretrained(tmp_path / "composer.safetensors")(3).image_size == 32


def test_chunks_have_the_gradient_of_the_batch():
    weight, rng = torch.ones((), requires_grad=True), torch.Generator().manual_seed(0)
    numbers = iter(torch.arange(1.0, 6.0).split(2))

    def losses_of(num: int, chunk_rng: torch.Generator) -> dict[str, torch.Tensor]:
        assert chunk_rng is not rng
        return {"mean": (weight * next(numbers)).mean()}

    loss, figures = in_chunks(5, 2, losses_of, rng, Progress(0, 0.0))
    loss.backward()
    assert float(weight.grad) == pytest.approx(3.0)
    assert figures == {"mean": pytest.approx(3.0)}
    with pytest.raises(UserError, match="chunk: got 3; expected a number from 1 to the batch, 2"):
        check_chunks(2, 3)
    with pytest.raises(UserError, match="makes 3 chunks; expected as many for each of the 2 proc"):
        check_chunks(5, 2, num_processes=2)


@pytest.mark.parametrize("step", [2, 3])
def test_processes_that_share_a_batch_have_the_gradients_of_one(first_options, step):
    def build() -> stage_one.StageOneRecipe:
        torch.manual_seed(0)  # weights
        return stage_one.build(first_options)

    assert_shared_gradients(build, step)


@pytest.mark.slow
def test_torchrun_gives_the_weights_of_one_process(pictures, volume, tmp_path):
    first = {
        "pictures": str(pictures),
        "style_dim": 8,
        "hidden": 6,
        "size": 16,
        "num_samples": 4,
        "volume_widths": [4, 4, 4, 4],
        "semantic_widths": [4, 4, 4],
        "sphere_steps": 2,
        "batch": 2,
        "chunk": 1,
        "start_from": str(volume[0] / "volume.safetensors"),
    }
    second = {
        "pictures": str(pictures),
        "start_from": str(volume[0] / "volume.safetensors"),
        "feature_width": 4,
        "style_dim": 8,
        "mapping_layers": 2,
        "decoder_widths": [6, 4],
        "full_widths": [4, 4, 4, 4],
        "batch": 2,
        "chunk": 1,
    }
    for name, options in (("compose-volume", first), ("compose-decoder", second)):
        one, two = (
            train_in_processes(count, name, tmp_path / f"{name}{count}", options, steps=8)
            for count in (1, 2)
        )
        for part, values in one["modules"].items():
            assert values.keys() == two["modules"][part].keys()
            for key, value in values.items():
                torch.testing.assert_close(
                    two["modules"][part][key], value, atol=1e-4, rtol=1e-3, msg=f"{part}.{key}"
                )


def test_sets_that_do_not_fit_are_refused(pictures, first_options, volume):
    with pytest.raises(UserError, match="pictures of 32, 16 pixels; expected 64"):
        stage_one.build(stage_one.Options(str(pictures)))
    with pytest.raises(UserError, match="pictures of 32, 16 pixels; expected 128"):
        stage_two.build(
            stage_two.Options(str(pictures), str(volume[0] / "volume.safetensors"), 4, 8, 2)
        )
