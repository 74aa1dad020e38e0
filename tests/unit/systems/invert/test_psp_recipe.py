"""Training of a 3DpSp encoder in miniature."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_device import pretended_device
from psp_training import encoder_config, write_options

from triptych.camera import random_views
from triptych.errors import UserError
from triptych.models.eg3d import ffhq512_128_config
from triptych.systems.invert.encoder import PspConfig, RestyleConfig, official_config
from triptych.systems.invert.loading import load_encoder
from triptych.systems.invert.losses import InversionWeights
from triptych.systems.invert.training import recipe as recipe_module
from triptych.systems.invert.training.setup import (
    encoder_config_for,
    encoder_for,
    latent_statistics,
    normal_latents,
    published_options,
)
from triptych.training.loop import LoopConfig, Progress, TrainingResult, train
from triptych.weights import read_header

MAIN = Progress(1, 0.9)


@pytest.fixture
def options(tmp_path, toy_generator):
    return write_options(tmp_path, toy_generator)


def learn(recipe, steps: int, fraction: float = 0.9, rate: float = 3e-3) -> list[dict]:
    optimiser = torch.optim.Adam(recipe.encoder.parameters(), lr=rate)
    generator, history = torch.Generator().manual_seed(0), []
    for step in range(steps):
        optimiser.zero_grad()
        loss, figures = recipe.loss(Progress(step, fraction), generator)
        loss.backward()
        optimiser.step()
        history.append(figures)
    return history


def mean_of(history: list[dict], name: str) -> float:
    return float(np.mean([figures[name] for figures in history]))


def test_warm_up_learns_the_known_codes_without_rendering_patches(options, monkeypatch):
    recipe = recipe_module.build(replace(options, warm_up=0.5, own_share=0.0))
    monkeypatch.setattr(recipe.views, "pair", lambda *_: pytest.fail("a head was rendered"))
    history = learn(recipe, 40, fraction=0.1)
    assert set(history[0]) == {"latent"}
    assert mean_of(history[-5:], "latent") < 0.8 * mean_of(history[:5], "latent")


@pytest.mark.slow
def test_steps_through_the_generator_lower_every_term(options):
    weights = InversionWeights(l2=20.0, second_l2=20.0, perceptual=0.0, second_perceptual=0.0)
    few = replace(options, own_share=0.0, latent=1.0, weights=weights, identity_every=0)
    recipe = recipe_module.build(few)
    # Targets and patches differ from step to step, so single means scatter: many are compared.
    history = learn(recipe, 100)
    for name in ("latent", "l2", "second_l2"):
        assert mean_of(history[-40:], name) < 0.9 * mean_of(history[:40], name)
    assert all(p.grad is None for p in recipe.generator.parameters())


def test_terms_of_a_step(options):
    recipe = recipe_module.build(options)
    generator = torch.Generator().manual_seed(0)
    _, figures = recipe.loss(MAIN, generator)
    parts = {"latent", "l2", "perceptual", "second_l2", "second_perceptual"}
    assert set(figures) == parts
    # Every second update the first view is a whole head, at which identity looks.
    _, figures = recipe.loss(Progress(2, 0.9), generator)
    assert set(figures) == parts | {"identity"}


def test_gradients_reach_the_whole_encoder(options):
    recipe = recipe_module.build(options)
    loss, _ = recipe.loss(MAIN, torch.Generator().manual_seed(0))
    loss.backward()
    assert [n for n, p in recipe.encoder.named_parameters() if p.grad is None] == []


def test_the_published_scheme_makes_all_steps_of_a_target_in_one_update(options):
    """Gradients are those of the sum of the losses of steps that start where the last ended."""
    published = replace(options, steps_per_update=3, stagger=False, own_share=0.0, identity_every=0)
    recipe = recipe_module.build(published)
    seen = []
    original = recipe._step

    def watched(slots, progress, generator):
        loss, figures = original(slots, progress, generator)
        seen.append((loss.detach(), [slot.steps_left for slot in slots._slots]))
        return loss, figures

    recipe._step = watched
    loss, figures = recipe.loss(MAIN, torch.Generator().manual_seed(0))
    assert [left for _, left in seen] == [[2] * 4, [1] * 4, [0] * 4]
    # What is returned is the last step's loss; the others have gone backward already.
    assert torch.equal(loss.detach(), seen[-1][0])
    accumulated = [p.grad.clone() for p in recipe.encoder.parameters()]
    assert any(bool(gradient.any()) for gradient in accumulated)
    loss.backward()
    first = next(recipe.encoder.parameters())
    assert not torch.equal(first.grad, accumulated[0])


def test_without_known_codes_there_is_no_warm_up(options, photos):
    only_photos = replace(
        options,
        shards=None,
        own_share=0.0,
        photos=str(photos),
        photo_share=1.0,
        warm_up=0.5,
    )
    recipe = recipe_module.build(only_photos)
    with pytest.raises(UserError, match="set warm_up=0"):
        recipe.loss(Progress(0, 0.0), torch.Generator())
    _, figures = recipe.loss(MAIN, torch.Generator().manual_seed(0))
    assert figures["latent"] == 0.0


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    camera = random_views(2, (-0.3, 0.3), (-0.2, 0.2), torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    rows = []
    for index, label in enumerate(camera.label25().tolist()):
        pixels = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
        rows.append([f"{index}.png", label])
    (folder / "dataset.json").write_text(json.dumps({"labels": rows}))
    (folder / "conf_map").mkdir()
    np.save(folder / "conf_map" / "0.npy", np.full((16, 16), 3.0, np.float32))
    return folder


@pytest.mark.thorough
def test_a_run_of_the_loop_with_ranger(options, tmp_path):
    recipe = recipe_module.build(replace(options, warm_up=0.5))
    loop = replace(recipe_module.LOOP, steps=4, threads=1, log_every_s=0.0)
    lines: list[str] = []
    result = train(recipe, loop, tmp_path / "run", report=lines.append)
    assert result.step == 4
    expected = {"psnr", "psnr_1", "identity", "side_psnr", "prior_psnr"}
    assert set(result.metrics) == expected | {f"perceptual_{n}" for n in (1, 2, 3)}
    # The shards hold the generator's own pictures, so its reconstruction is nearly exact.
    assert result.metrics["prior_psnr"] > 35
    assert (tmp_path / "run" / "sheets" / "step_000004.png").stat().st_size > 500
    recipe_module.export(recipe, result, tmp_path / "encoder.safetensors")
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    assert loaded.config == recipe.encoder.config
    header = read_header(tmp_path / "encoder.safetensors")
    assert header.provenance["steps"] == 4
    assert header.provenance["networks"]["perceptual"].startswith("avatar-features")


def test_published_optimiser_is_a_matter_of_options():
    loop = replace(recipe_module.LOOP, learning_rate=1e-4, warmup_steps=0, final_rate=1.0, steps=1)
    assert (loop.optimiser, loop.betas[0], loop.shared_draws) == ("ranger", 0.95, True)
    assert isinstance(loop, LoopConfig)


@pytest.mark.thorough
def test_own_heads_stand_in_where_there_are_no_avatars(options):
    recipe = recipe_module.build(replace(options, shards=None, test_shards=None, own_share=1.0))
    _, figures = recipe.loss(MAIN, torch.Generator().manual_seed(0))
    assert figures["latent"] > 0
    assert len(recipe.unseen) > 0
    assert recipe.evaluate(recipe.modules)["psnr"] > 0


def test_encoder_sizes_that_fit_generators(toy_generator, options):
    config = encoder_config_for(toy_generator, options)
    assert (config.num_ws, config.w_dim) == (toy_generator.num_ws, 16)
    assert config.restyle.num_steps == 5
    plain = encoder_config_for(toy_generator, replace(options, variant="psp"))
    assert (plain.image_channels, plain.camera_code, plain.restyle.num_steps) == (3, 0, 1)


@pytest.mark.parametrize("quirks", ["published", "corrected"])
def test_quirks_are_a_choice_at_either_size(toy_generator, options, quirks):
    published = official_config()
    for generator in (Official(14), toy_generator):
        config = encoder_config_for(generator, replace(options, quirks=quirks))
        found = (config.squeeze, config.restyle.mean_view, config.restyle.mean_noise)
        if quirks == "published":
            assert found == ("max", "frontal", "random")
            assert config.linear_rate == published.linear_rate
            assert config.restyle.mean_focal == published.restyle.mean_focal
        else:
            assert found == ("mean", "target", "const")
            assert config.restyle.mean_focal == pytest.approx(4.2647)
    if quirks == "published":
        assert encoder_config_for(Official(14), replace(options, quirks=quirks)) == published


class Official:
    """What the choice of a size looks at in an official generator."""

    config = ffhq512_128_config()

    def __init__(self, num_ws: int) -> None:
        self.num_ws = num_ws


def test_official_generators_get_the_published_size(options):
    config, published = encoder_config_for(Official(14), options), official_config()
    same = ("image_size", "widths", "units", "heads", "head_width", "w_dim", "camera_code")
    assert [getattr(config, name) for name in same] == [getattr(published, name) for name in same]
    assert config.restyle.render_size is None
    with pytest.raises(UserError, match="14 of 512"):
        encoder_config_for(Official(12), options)


def test_published_training_can_be_asked_for(options, photos):
    published = published_options(options.generator, str(photos))
    assert (published.steps_per_update, published.stagger, published.latent) == (5, False, 0.0)
    assert published.weights.mirrored_pairing == "published"
    toy = replace(
        published, start_from=options.start_from, views=options.views, networks="embedded"
    )
    recipe = recipe_module.build(toy)
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    assert bool(torch.isfinite(loss))
    assert {"l2", "second_l2", "identity"} <= set(figures)


def test_mistakes_are_named(options, toy_generator):
    with pytest.raises(UserError, match="photo_share needs a folder"):
        recipe_module.build(replace(options, photo_share=0.5))
    with pytest.raises(UserError, match="no source of pictures"):
        recipe_module.build(replace(options, shards=None, own_share=0.0))
    recipe = recipe_module.build(options)
    with pytest.raises(UserError, match="multiple of 3 processes"):
        recipe.loss(Progress(0, 0.9, 0, 3), torch.Generator())


def test_a_recipe_of_one_step_sees_no_reconstruction(options, toy_generator, tmp_path):
    from triptych.systems.invert.encoder import PspEncoder
    from triptych.weights import save_module

    config: PspConfig = encoder_config(
        toy_generator, image_channels=3, camera_code=0, restyle=RestyleConfig(num_steps=1)
    )
    save_module(tmp_path / "psp.safetensors", PspEncoder(config), dtype=None)
    one_step = replace(options, variant="psp", start_from=str(tmp_path / "psp.safetensors"))
    recipe = recipe_module.build(one_step)
    loss, _ = recipe.loss(MAIN, torch.Generator().manual_seed(0))
    assert bool(torch.isfinite(loss))
    result = TrainingResult(recipe.modules, 1, recipe.evaluate(recipe.modules))
    assert "perceptual_1" in result.metrics
    assert "perceptual_2" not in result.metrics


def test_an_encoder_of_other_codes_lends_what_fits(options, toy_generator, tmp_path):
    """Its first rows and channels come over; the mean codes are the new generator's."""
    from triptych.systems.invert.encoder import PspEncoder
    from triptych.weights import save_module

    fitting = encoder_config_for(toy_generator, options)
    narrow = PspEncoder(replace(fitting, w_dim=fitting.w_dim - 3))
    save_module(tmp_path / "narrow.safetensors", narrow, dtype=None)
    changed = replace(options, variant="psp", start_from=str(tmp_path / "narrow.safetensors"))
    encoder = encoder_for(changed, toy_generator, None)
    assert encoder.config.w_dim == fitting.w_dim
    assert encoder.config.image_channels == 3
    given, pred = narrow.state_dict(), encoder.state_dict()
    first = next(name for name, value in given.items() if value.shape[1:2] == (6,))
    torch.testing.assert_close(pred[first], given[first][:, :3])
    linear = pred["styles.0.linear.weight"]
    torch.testing.assert_close(linear[:-3], given["styles.0.linear.weight"])
    mean, _ = latent_statistics(
        toy_generator, normal_latents(20_000, toy_generator.config.z_dim, 123)
    )
    torch.testing.assert_close(pred["latent_mean"], mean)


@pytest.mark.slow
def test_it_trains_on_another_device(options, tmp_path):
    """Renders of avatars and own heads, in other light; regression, then steps, then a look."""
    with pretended_device() as device:
        settings = {"own_share": 0.5, "domain_randomisation": 1.0, "device": str(device)}
        recipe = recipe_module.build(replace(options, warm_up=0.5, **settings))
        for fraction in (0.1, 0.9, 0.9):
            loss, _ = recipe.loss(Progress(1, fraction), torch.Generator().manual_seed(0))
            assert loss.device == device
            loss.backward()
        modules = {"encoder": recipe.encoder.eval()}
        assert "psnr" in recipe.evaluate(modules)
        recipe.sheet(modules, tmp_path / "sheet.png")
