"""Both published training stages: who learns, what the presets change, that processes are one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from edit_pairs_folder import write_pairs
from torch.nn import functional
from toy_edit import TINY_LIVE3D, TINY_PROMPT, tiny_network
from toy_portraits import tiny_generator
from training_processes import assert_shared_gradients

from triptych.config import to_dict
from triptych.errors import UserError
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.render.rendering import Rendering
from triptych.systems.edit.data.edit_pairs import EditPairs
from triptych.systems.edit.losses import DistillationWeights, live3d_weights, view_terms
from triptych.systems.edit.network import TextPromptConfig
from triptych.systems.edit.training import stage_one, stage_two
from triptych.systems.edit.training.adversary import adversarial_terms
from triptych.systems.edit.training.cameras import CameraRange, random_camera
from triptych.training.loop import LoopConfig, Progress, train
from triptych.weights import save_module
from triptych.weights.loading import load_network

QUIET = {"threads": 1, "adaptive_threads": False, "warmup_steps": 1}
SMALL = {"discriminator_base": 64, "discriminator_group": 1, "batch": 2, "networks": "embedded"}


def loop_of(stage, steps: int) -> LoopConfig:
    return LoopConfig(**{**vars(stage.LOOP), **QUIET, "steps": steps, "learning_rate": 1e-3})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator, a base that was never trained, and pairs of noise."""
    folder = tmp_path_factory.mktemp("edit")
    save_module(folder / "generator.safetensors", tiny_generator(), dtype=None)
    save_module(folder / "base.safetensors", tiny_network(TINY_LIVE3D), dtype=None)
    write_pairs(folder / "pairs")
    return folder


@pytest.fixture(scope="module")
def first(folder):
    """Options of the first stage."""
    generator, base = folder / "generator.safetensors", folder / "base.safetensors"
    return stage_one.Options(str(generator), start_from=str(base), **SMALL)


@pytest.fixture(scope="module")
def second(folder):
    """Options of the second stage."""
    return stage_two.Options(
        str(folder / "pairs"),
        str(folder / "base.safetensors"),
        prompt=to_dict(TINY_PROMPT),
        adversarial_from=0,
        **SMALL,
    )


def parts_with_gradients(recipe) -> set[str]:
    """Return modules, and parts of the network, that a step reaches."""
    loss, _ = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(1))
    loss.backward()
    return {
        ".".join([part, *name.split(".")[: 2 if part == "network" else 0]])
        for part, module in recipe.modules.items()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and bool(parameter.grad.any())
    }


def test_the_second_stage_teaches_two_branches_and_the_discriminator(second):
    learning = {"encoder.Ref_encoder", "encoder.Final_encoder"}
    found = parts_with_gradients(stage_two.build(second))
    assert found == {"discriminator", *(f"network.{part}" for part in learning)}


def test_words_teach_the_same_and_a_projection(second):
    spoken = replace(second, text_encoder="avatar-editor", text_share=1.0)
    found = parts_with_gradients(recipe := stage_two.build(spoken))
    learning = {"encoder.Ref_encoder", "encoder.Final_encoder", "text.0", "text.1"}
    assert found == {"discriminator", *(f"network.{part}" for part in learning)}
    assert recipe.network.config.text == TextPromptConfig("avatar-editor", 128)


@pytest.mark.thorough
def test_words_are_one_half_of_the_steps_and_only_where_they_are_asked_for(second, monkeypatch):
    said = []
    monkeypatch.setattr(EditPairs, "words", lambda pairs, index: said.append(index) or "jade")
    spoken = stage_two.build(replace(second, text_encoder="avatar-editor", batch=1))
    silent = stage_two.build(replace(second, batch=1))
    with torch.no_grad():
        monkeypatch.setattr(stage_two, "adversarial_terms", lambda *_: (torch.zeros(()),) * 2)
        for seed in range(8):
            silent.loss(Progress(0, 0.0), torch.Generator().manual_seed(seed))
        assert said == []
        for seed in range(8):
            spoken.loss(Progress(0, 0.0), torch.Generator().manual_seed(seed))
    assert 2 <= len(said) <= 6


def test_a_run_without_words_cannot_go_on_with_them(second, folder, tmp_path):
    trained = tmp_path / "trained.safetensors"
    save_module(trained, tiny_network(), dtype=None)
    options = replace(second, start_from=str(trained), text_encoder="avatar-editor")
    with pytest.raises(UserError, match="was not trained with the words of avatar-editor"):
        stage_two.build(options)


@pytest.mark.slow
def test_both_stages_run_resume_and_write_weights(first, second, folder, tmp_path):
    sizes = {"encoder": to_dict(TINY_LIVE3D), "start_from": None}
    for stage, options in ((stage_one, replace(first, **sizes)), (stage_two, second)):
        for step in (1, 2):
            recipe = stage.build(options)
            result = train(recipe, loop_of(stage, 1), tmp_path / stage.__name__)
            assert result.step == step
            assert result.metrics.keys() == {"psnr"}
        stage.export(recipe, result, tmp_path / "out.safetensors")
        encoder = load_network(tmp_path / "out.safetensors", "portrait-encoder").config.encoder
        assert (encoder.prompt is None) == (stage is stage_one)


@pytest.mark.parametrize("stage", [stage_one, stage_two])
def test_processes_that_share_a_batch_have_the_gradients_of_one(first, second, stage):
    # Weights that were never trained: where student and teacher agree, the sign of an L1's gradient
    # is a matter of rounding.
    weights = DistillationWeights(perceptual=0, features=1)
    options = replace(first if stage is stage_one else second, weights=weights)
    assert_shared_gradients(lambda: stage.build(options), step=0)


def test_presets_differ_in_what_they_say(second):
    losses = {}
    for preset in ("published", "corrected"):
        weights = DistillationWeights(perceptual=0)
        recipe = stage_two.build(
            replace(second, preset=preset, adversarial_from=5, weights=weights)
        )
        losses[preset] = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(1))[1]
    assert losses["published"].keys() - losses["corrected"].keys() == {
        "adversarial",
        "discriminator",
    }
    assert losses["published"]["planes"] != losses["corrected"]["planes"]


def test_a_base_without_a_prompt_branch_is_no_student(second):
    with pytest.raises(UserError, match="has no prompt branch; it is a base"):
        stage_two.build(replace(second, start_from=second.base))


def rendering(value: float) -> Rendering:
    image = torch.full((2, 3, 16, 16), value)
    return Rendering(image, image / 2, image.repeat(1, 2, 1, 1), image[:, :1], image[:, :1])


def test_terms_of_a_view_by_hand():
    weights = replace(live3d_weights(), identity=0.0)
    terms = view_terms(
        rendering(0.5), rendering(0.1), weights, lambda a, b: (a - b).abs().flatten(1).amax(1)
    )
    expected = {"colour": 0.6, "perceptual": 0.6, "depth": 0.4, "features": 0.4}
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value)
    assert float(weights.total(terms)) == pytest.approx(0.6 + 0.8 * 0.6 + 0.4 + 0.4)
    few = view_terms(
        rendering(0.5), rendering(0.1), DistillationWeights(perceptual=0), lambda a, b: a
    )
    assert few.keys() == {"colour", "depth"}


def test_adversarial_terms_reach_their_own_network():
    discriminator = DualDiscriminator(
        DiscriminatorConfig(16, channel_base=64, group_size=1, conv_clamp=None)
    )
    rng = torch.Generator().manual_seed(0)
    made, real, asked = (torch.rand(2, 3, 16, 16, generator=rng) for _ in range(3))
    made.requires_grad_(True)
    camera = random_camera(CameraRange(), tiny_generator().config.view, rng)
    camera = type(camera)(camera.cam2world.repeat(2, 1, 1), camera.intrinsics.repeat(2, 1, 1))
    fooling, learning = adversarial_terms(discriminator, (made, asked), (real, asked), camera, 1.0)
    scores = discriminator(made, asked, camera.label25()).detach()
    assert float(fooling.detach()) == pytest.approx(float(functional.softplus(-scores).mean()))
    fooling.backward(retain_graph=True)
    assert all(p.grad is None for p in discriminator.parameters())
    assert float(made.grad.abs().sum()) > 0
    made.grad = None
    learning.backward()
    assert made.grad is None
    assert any(p.grad is not None for p in discriminator.parameters())


def test_cameras_stay_within_their_range():
    reach, view = CameraRange(), tiny_generator().config.view
    rng = torch.Generator().manual_seed(0)
    cameras = [random_camera(reach, view, rng) for _ in range(50)]
    yaws = torch.cat([camera.yaw for camera in cameras]).rad2deg()
    assert 40 < float(yaws.max()) <= 49
    assert -49 <= float(yaws.min()) < -40
    centres = torch.cat([camera.intrinsics[:, :2, 2] for camera in cameras])
    assert 0.09 < float((centres - 0.5).abs().max()) <= 0.1 + 1e-6
    still = random_camera(CameraRange(0, 0, 0, 0), view, rng)
    assert float(still.yaw) == pytest.approx(0, abs=1e-6)


def test_pairs_are_read_and_references_are_others(tmp_path):
    pairs = EditPairs(write_pairs(tmp_path / "set", size=16, styles=("jade", "old")))
    assert [pairs.style(index) for index in range(len(pairs))] == [*("jade", "old") * 2, "jade"]
    named = EditPairs(write_pairs(tmp_path / "named", size=16, styles=("blue-stone", "an_elf")))
    assert [named.words(index) for index in (0, 1)] == ["an elf", "blue stone"]
    rng = torch.Generator().manual_seed(0)
    own = pairs.edited(0)
    drawn = [pairs.reference(0, rng, may_be_target=False) for _ in range(20)]
    assert not any(torch.equal(own, reference) for reference in drawn)
    drawn = [pairs.reference(0, rng, may_be_target=True) for _ in range(20)]
    assert any(torch.equal(own, reference) for reference in drawn)
    assert float(pairs.camera(2).yaw) == pytest.approx(0.1, abs=1e-5)
    assert not torch.equal(pairs.photo(0), own)


def test_folders_without_pairs_are_refused(tmp_path):
    folder = write_pairs(tmp_path / "set", size=16)
    (folder / "people_jade").rename(folder / "jade")
    with pytest.raises(UserError, match="holds no pair: expected BUCKET/ID.png"):
        EditPairs(folder)
