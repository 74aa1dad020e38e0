"""The editor's recipes end to end on tiny networks: train, evaluate, export, load, edit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from triptych.editors.image_editor import EditRequest
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.errors import UserError
from triptych.training.editor import recipe as editor
from triptych.training.editor import vae as editor_vae
from triptych.training.editor.export import EditorToExport, export_editor
from triptych.training.editor.recipe import change_weights
from triptych.training.loop import Progress, train


@pytest.fixture(scope="module")
def trained(made_up_shards, tmp_path_factory) -> SimpleNamespace:
    """A few steps of both recipes on 32-pixel pictures, and the exported folder."""
    folder = tmp_path_factory.mktemp("editor")
    shards, test = made_up_shards(100_000), made_up_shards(5_000, heads=2)
    vae_options = editor_vae.Options(
        shards=(str(shards),), test_shards=str(test), batch=2, crop=16, whitening=0.05
    )
    loop = replace(editor_vae.LOOP, steps=2, threads=1, adaptive_threads=False)
    vae_recipe = editor_vae.build(vae_options)
    vae_result = train(vae_recipe, loop, folder / "vae-run", report=lambda _: None)
    editor_vae.export(vae_recipe, vae_result, folder / "vae")
    options = editor.Options(
        shards=(str(shards),),
        test_shards=str(test),
        vae=str(folder / "vae"),
        latents=str(folder / "latents"),
        batch=4,
        unet_channels=(16, 32),
    )
    recipe = editor.build(options)
    recipe.examples.variants = recipe.examples.variants[:3]
    result = train(recipe, loop, folder / "run", report=lambda _: None)
    editor.export(recipe, result, folder / "editor")
    return SimpleNamespace(
        folder=folder, recipe=recipe, result=result, vae_recipe=vae_recipe, vae_result=vae_result
    )


def test_autoencoder_is_measured_and_scaled(trained):
    assert {"psnr", "psnr_eyes", "psnr_drawings"} == set(trained.vae_result.metrics)
    vae = editor_vae.load_vae(trained.folder / "vae")
    images = trained.vae_recipe._test_pictures(64)[0]
    with torch.no_grad():
        deviation = (vae.encode(images).latents * vae.config.scaling_factor).std()
    assert deviation == pytest.approx(1, abs=0.02)


def test_crops_hold_their_regions(trained):
    images, regions = trained.vae_recipe._crops(np.random.default_rng(0))
    assert images.shape == (2, 3, 16, 16)
    assert regions.shape == (2, 16, 16)
    assert images.abs().max() <= 1
    always = replace(trained.vae_recipe.options, feature_share=1.0)
    trained.vae_recipe.options, before = always, trained.vae_recipe.options
    _, regions = trained.vae_recipe._crops(np.random.default_rng(0))
    trained.vae_recipe.options = before
    assert all((region == 2).any() for region in regions)


def test_runs_leave_metrics_and_sheets(trained):
    for run in ("vae-run", "run"):
        assert list((trained.folder / run / "sheets").glob("*.png"))
        lines = (trained.folder / run / "metrics.jsonl").read_text().splitlines()
        assert "evaluation" in json.loads(lines[-1])
    assert trained.result.metrics["psnr"] > 0
    assert "psnr_unedited" in trained.result.metrics


def test_a_cut_run_continues_at_its_step(trained):
    loop = replace(editor.LOOP, steps=1, threads=1, adaptive_threads=False)
    result = train(trained.recipe, loop, trained.folder / "run", report=lambda _: None)
    assert result.step == trained.result.step + 1


def test_conditions_are_withheld_in_the_given_shares(trained):
    recipe = trained.recipe
    tokens, shown = recipe._conditions(["bronze"] * 2000, np.random.default_rng(0))
    empty = torch.tensor(recipe._tokenized(""))
    negative = torch.tensor(recipe._tokenized(recipe.editor_config.negative_prompt))
    silent = (tokens == empty).all(1) | (tokens == negative).all(1)
    assert silent.float().mean() == pytest.approx(0.10, abs=0.02)
    assert (shown == 0).float().mean() == pytest.approx(0.10, abs=0.02)
    assert (silent & (shown == 0)).float().mean() == pytest.approx(0.05, abs=0.02)


def test_half_of_the_timesteps_are_late_on_top_of_the_even_ones(trained):
    timesteps = trained.recipe._timesteps(4000, torch.Generator().manual_seed(0))
    assert int(timesteps.min()) >= 0
    assert int(timesteps.max()) <= 999
    late = (timesteps >= 600).float().mean()
    assert late == pytest.approx(0.5 + 0.5 * 0.4, abs=0.03)


def test_loss_of_a_perfect_prediction_is_zero(trained, monkeypatch):
    recipe = trained.recipe
    seen = {}

    def velocity(clean, noise, timesteps):
        seen["velocity"] = type(recipe.scheduler).get_velocity(
            recipe.scheduler, clean, noise, timesteps
        )
        return seen["velocity"]

    def oracle(noisy, timesteps, encoder_hidden_states):
        return SimpleNamespace(sample=seen["velocity"].clone().requires_grad_())

    monkeypatch.setattr(recipe.scheduler, "get_velocity", velocity, raising=False)
    monkeypatch.setattr(recipe, "denoiser", oracle)
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    assert float(loss.detach()) == 0
    assert figures["error"] == 0


def test_change_weights_have_mean_one_and_favour_the_change():
    source = torch.zeros(2, 4, 8, 8)
    target = source.clone()
    target[:, :, 0, 0] = 1
    weight = change_weights(source, target, 1.0)
    assert torch.allclose(weight.mean((2, 3)), torch.ones(2, 1))
    # One place of 64 changes: 64 times the mean change, limited to 4, so 5 against 1.
    assert weight[0, 0, 0, 0] / weight[0, 0, 5, 5] == pytest.approx(5)
    assert torch.equal(change_weights(source, source, 1.0), torch.ones(2, 1, 8, 8))


def test_exported_editor_edits_like_the_trained_one(trained):
    loaded = InstructPix2PixEditor.from_pretrained(trained.folder / "editor", precision="float32")
    trained_editor = trained.recipe._editor(trained.result.averaged)
    trained_editor.precision = "float32"
    assert loaded.config == trained_editor.config
    assert loaded.config.text_guidance == 1.25
    assert loaded.config.num_steps == 2
    images = trained.recipe.examples.variants[0].source
    ours = loaded.edit(images, EditRequest("a zombie", num_steps=4))
    theirs = trained_editor.edit(images, EditRequest("a zombie", num_steps=4))
    assert (ours - theirs).abs().mean() < 5e-3
    assert loaded.notes_for(EditRequest("a pirate"))
    assert not loaded.notes_for(EditRequest("an old bronze zombie"))


def test_exported_editor_opens_in_diffusers_own_pipeline(trained):
    from diffusers import StableDiffusionInstructPix2PixPipeline

    folder = trained.folder / "editor"
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(folder), local_files_only=True
    ).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    images = trained.recipe.examples.variants[0].source[:1]
    ours = InstructPix2PixEditor.from_pretrained(folder, precision="float32")
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    edited = pipeline(
        ["make him old, realistic, detail, 8k, photorealistic"],
        image=(images + 1) / 2,
        negative_prompt=[ours.config.negative_prompt],
        num_inference_steps=4,
        guidance_scale=3.0,
        image_guidance_scale=1.5,
        latents=noise,
        output_type="np",
    ).images
    request = EditRequest(
        "make him old", 5, text_guidance=3.0, image_guidance=1.5, num_steps=4, noise_level=1.0
    )
    expected = ours.edit(images, request)
    theirs = torch.from_numpy(edited).permute(0, 3, 1, 2) * 2 - 1
    assert (theirs - expected).abs().max() < 1e-4


def test_exported_settings_name_no_folder_of_this_computer(trained):
    folder = trained.folder / "editor"
    texts = [path.read_text() for path in folder.rglob("*.json")]
    assert len(texts) >= 6
    assert not any(str(trained.folder) in text or "_name_or_path" in text for text in texts)


def test_a_damaged_editor_is_named(trained, tmp_path: Path):
    import shutil

    folder = tmp_path / "editor"
    shutil.copytree(trained.folder / "editor", folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"unet/diffusion_pytorch_model\.safetensors is damaged"):
        InstructPix2PixEditor.from_pretrained(folder)
    weights.unlink()
    with pytest.raises(UserError, match="is missing"):
        InstructPix2PixEditor.from_pretrained(folder)


def test_export_refuses_foreign_folders_and_too_large_editors(trained, tmp_path, monkeypatch):
    from triptych.training.editor import export as editor_export

    recipe, averaged = trained.recipe, trained.result.averaged
    parts = EditorToExport(
        unet=averaged["unet"],
        vae=recipe.vae,
        text_encoder=averaged["text_encoder"],
        tokenizer=recipe.tokenizer,
        scheduler=recipe.scheduler,
        config=recipe.editor_config,
    )
    (tmp_path / "foreign").mkdir()
    with pytest.raises(UserError, match="is not an editor"):
        export_editor(parts, tmp_path / "foreign", provenance={}, metrics={})
    monkeypatch.setattr(editor_export, "MAX_EDITOR_BYTES", 1000)
    with pytest.raises(UserError, match="at most"):
        export_editor(parts, tmp_path / "large", provenance={}, metrics={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign"]


def test_a_missing_autoencoder_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="train one first"):
        editor_vae.load_vae(tmp_path)


def test_timesteps_favour_the_noisy_end(trained):
    recipe, before = trained.recipe, trained.recipe.options
    last = recipe.scheduler.config.num_train_timesteps - 1
    shares = {}
    for late, first in ((0.0, 0.0), (0.5, 0.0), (0.5, 0.4), (0.0, 1.0)):
        recipe.options = replace(before, late_share=late, first_share=first)
        drawn = recipe._timesteps(4000, torch.Generator().manual_seed(0))
        shares[late, first] = (
            float((drawn >= 600).float().mean()),
            float((drawn == last).float().mean()),
        )
    recipe.options = before
    assert shares[0.0, 0.0] == pytest.approx((0.4, 0.0), abs=0.03)
    assert shares[0.5, 0.0] == pytest.approx((0.7, 0.0), abs=0.03)
    assert shares[0.5, 0.4] == pytest.approx((0.82, 0.4), abs=0.03)
    assert shares[0.0, 1.0] == (1, 1)
