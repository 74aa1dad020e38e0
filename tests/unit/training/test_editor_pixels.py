"""The editor in pixels: wider latents, crops, pairs, and the recipe end to end on tiny networks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from triptych.avatars.sets.shards import ORIGINAL, ShardSet, write_shard
from triptych.editors.image_editor import EditRequest
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.errors import UserError
from triptych.training.editor import pixels
from triptych.training.editor import recipe as editor
from triptych.training.editor import vae as editor_vae
from triptych.training.editor.crops import Crop, CropPlan, draw_crop
from triptych.training.editor.networks import EditorNetworksConfig, build_unet, build_vae
from triptych.training.editor.picture_pairs import PicturePairs
from triptych.training.editor.wider_latents import widen_autoencoder, widen_unet
from triptych.training.loop import Progress, TrainingResult, train
from triptych.training.style_variants import pictures_of

TINY = EditorNetworksConfig(image_size=32, unet_channels=(16, 32))


# --- wider latents -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return build_vae(TINY).eval()


def test_a_wider_autoencoder_reconstructs_as_before_and_holds_more(vae):
    images = 2 * torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) - 1
    wide = widen_autoencoder(vae, 7, images)
    with torch.no_grad():
        before, after = vae.encode(images).latents, wide.encode(images).latents
        assert after.shape == (4, 7, 8, 8)
        assert torch.equal(after[:, :4], before)
        assert torch.equal(wide.decode(after).sample, vae.decode(before).sample)
    # On the pictures that they were fitted to, the new channels are white.
    assert torch.allclose(after[:, 4:].mean((0, 2, 3)), torch.zeros(3), atol=1e-3)
    assert torch.allclose(after[:, 4:].std((0, 2, 3)), torch.ones(3), atol=1e-2)
    assert wide.config.latent_channels == 7


def test_a_wider_unet_predicts_as_before_and_nothing_new():
    torch.manual_seed(0)
    unet = build_unet(TINY).eval()
    wide = widen_unet(unet, 6).eval()
    noisy, source = torch.randn(1, 6, 8, 8), torch.randn(1, 6, 8, 8)
    words = torch.randn(1, 5, TINY.text_width)
    narrow = torch.cat([noisy[:, :4], source[:, :4]], 1)
    with torch.no_grad():
        before = unet(narrow, 999, encoder_hidden_states=words).sample
        after = wide(torch.cat([noisy, source], 1), 999, encoder_hidden_states=words).sample
    assert torch.allclose(after[:, :4], before, atol=1e-6)
    assert torch.equal(after[:, 4:], torch.zeros(1, 2, 8, 8))


def test_latents_do_not_shrink(vae):
    with pytest.raises(UserError, match="latent channels: got 3; expected 4"):
        widen_autoencoder(vae, 3, torch.zeros(1, 3, 32, 32))


# --- crops ---------------------------------------------------------------------------------------


def test_inner_margins_do_not_count_and_borders_of_the_picture_do():
    inner = Crop(top=1, left=2, size=4, whole=8).counted(margin=3)
    assert inner.shape == (16, 16)
    assert inner.sum() == 10 * 10
    corner = Crop(top=0, left=4, size=4, whole=8).counted(margin=3)
    assert corner[:13, 3:].min() == 1
    assert corner.sum() == 13 * 13
    assert Crop(0, 0, 8, 8).counted(margin=3).min() == 1


def test_a_crop_cuts_latents_and_pictures_at_the_same_place():
    latent = torch.arange(64.0).view(8, 8)
    picture = latent.repeat_interleave(4, 0).repeat_interleave(4, 1)
    crop = Crop(top=3, left=1, size=2, whole=8)
    assert crop.of_latent(latent).tolist() == [[25, 26], [33, 34]]
    assert torch.equal(
        crop.of_picture(picture),
        crop.of_latent(latent).repeat_interleave(4, 0).repeat_interleave(4, 1),
    )


def test_crops_contain_what_they_are_drawn_for():
    regions = np.zeros((64, 64), np.uint8)
    regions[20, 40] = 2
    rng = np.random.default_rng(0)
    for plan in (CropPlan(4, feature_share=1.0), CropPlan(4, feature_share=0.0, free_share=0.0)):
        for _ in range(50):
            crop = draw_crop(regions, plan, rng)
            assert crop.of_picture(torch.from_numpy(regions)).sum() == 2
    free = [draw_crop(regions, CropPlan(4, feature_share=0, free_share=1), rng) for _ in range(300)]
    assert {crop.top for crop in free} == set(range(13))
    assert draw_crop(regions, CropPlan(18), rng) == Crop(0, 0, 16, 16)


# --- pairs ---------------------------------------------------------------------------------------


def _portraits(folder, shards: ShardSet) -> ShardSet:
    """The same heads whose original is black."""
    heads = [shards.head(number) for number in range(len(shards))]
    for head in heads:
        head["rgb"][:] = 0
    write_shard(folder / "shard_0100000", heads)
    return ShardSet(folder)


def test_targets_are_the_avatars_and_sources_partly_the_portraits(made_up_shards, tmp_path):
    avatars = ShardSet(made_up_shards(100_000))
    portraits = _portraits(tmp_path, avatars)
    pairs = PicturePairs([avatars], [portraits], portrait_share=0.5)
    drawn = pairs.draw(200, np.random.default_rng(0))
    dark = [pair for pair in drawn if float(pair.source.max()) == -1]
    assert 70 < len(dark) < 130
    assert {pair.key[0] for pair in dark} == {1}
    for pair in drawn[:40]:
        number, head, view = pair.key
        assert torch.equal(pair.target, pictures_of(avatars, head, pair.variant, [view])[0])
        if number == 0:
            assert torch.equal(pair.source, pictures_of(avatars, head, ORIGINAL, [view])[0])
    variants = {pair.variant for pair in drawn}
    assert {"bronze", "elf", "pencil sketch"} <= variants
    assert ORIGINAL not in variants


# --- the recipe ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(made_up_shards, tmp_path_factory) -> SimpleNamespace:
    """Two steps on 32-pixel pictures from a tiny editor, and the exported folder."""
    folder = tmp_path_factory.mktemp("pixels")
    shards, test = str(made_up_shards(100_000)), str(made_up_shards(5_000, heads=2))
    vae = editor_vae.build(editor_vae.Options(shards=(shards,), test_shards=test, batch=2, crop=16))
    editor_vae.export(
        vae, SimpleNamespace(averaged={"vae": vae.vae}, step=0, metrics={}), folder / "vae"
    )
    first = editor.build(
        editor.Options(
            shards=(shards,),
            test_shards=test,
            vae=str(folder / "vae"),
            latents=str(folder / "latents"),
            unet_channels=(16, 32),
        )
    )
    editor.export(first, TrainingResult(first.modules, 0, {}), folder / "start")
    recipe = pixels.build(
        pixels.Options(
            shards=(shards,),
            test_shards=test,
            start_from=str(folder / "start"),
            batch=3,
            crop=6,
        )
    )
    recipe.examples.variants = recipe.examples.variants[:2]
    before = {name: p.detach().clone() for name, p in recipe.vae.named_parameters()}
    loop = replace(pixels.LOOP, steps=2, threads=1, adaptive_threads=False)
    result = train(recipe, loop, folder / "run", report=lambda _: None)
    pixels.export(recipe, result, folder / "editor")
    return SimpleNamespace(folder=folder, recipe=recipe, result=result, before=before)


def test_unet_and_decoder_learn_and_the_encoder_does_not(trained):
    changed = {
        name.split(".")[0]
        for name, parameter in trained.recipe.vae.named_parameters()
        if not torch.equal(parameter.detach(), trained.before[name])
    }
    assert changed == {"decoder"}
    assert {"psnr", "perceptual", "sharpness", "psnr_unedited"} <= set(trained.result.metrics)


def test_a_step_trains_what_the_exported_editor_shows(trained, monkeypatch):
    """With whole pictures for crops, the pictures in training are those of an edit."""
    recipe = trained.recipe
    loaded = InstructPix2PixEditor.from_pretrained(trained.folder / "editor", precision="float32")
    assert (loaded.config.num_steps, loaded.config.noise_level) == (1, 1.0)
    assert (loaded.config.text_guidance, loaded.config.image_guidance) == (1.0, 1.0)
    pair = recipe.pairs.draw(1, np.random.default_rng(0))[0]
    request = EditRequest("a bronze statue", seed=4)
    edited = loaded.edit(pair.source[None], request)
    text = loaded.config.prompt_template.format("a bronze statue")
    monkeypatch.setattr(recipe, "unet", trained.result.averaged["unet"])
    monkeypatch.setattr(recipe, "denoiser", trained.result.averaged["unet"])
    with torch.no_grad():
        latents = recipe._edited_latents([pair], [text], torch.Generator().manual_seed(4))
        pred = trained.result.averaged["vae"].decode(latents).sample
    assert (edited - pred.clamp(-1, 1)).abs().max() < 0.02


def test_pixels_that_do_not_count_have_no_gradient(trained):
    pred = torch.rand(1, 3, 24, 24, requires_grad=True)
    target = torch.rand(1, 3, 24, 24)
    counted = torch.zeros(1, 1, 24, 24)
    counted[..., 4:20, 4:] = 1
    loss, figures = trained.recipe._compared(
        pred, target, counted, torch.zeros(1, 24, 24, dtype=torch.long)
    )
    loss.backward()
    assert pred.grad is not None
    assert torch.equal(pred.grad.abs().sum(1, keepdim=True) > 0, counted > 0)
    error = (pred.detach() - target).abs()[..., 4:20, 4:].mean()
    assert figures["l1"] == pytest.approx(float(error), rel=1e-4)


@pytest.mark.thorough
def test_wider_latents_are_trained_and_read(trained):
    options = trained.recipe.options
    wide_folder = trained.folder / "wide"
    recipe = editor_vae.build(
        editor_vae.Options(
            shards=options.shards,
            test_shards=options.test_shards,
            start_from=str(trained.folder / "vae"),
            latent_channels=6,
            perceptual=0.5,
            batch=2,
            crop=16,
        )
    )
    loss, _ = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    assert torch.isfinite(loss)
    editor_vae.export(recipe, TrainingResult(recipe.modules, 0, {}), wide_folder)
    wider = pixels.build(replace(options, vae=str(wide_folder)))
    loss, _ = wider.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    assert wider.unet.config.out_channels == 6
    assert torch.isfinite(loss)
