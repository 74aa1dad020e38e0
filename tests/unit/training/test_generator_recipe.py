"""The generator recipe on made-up shards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_portraits import tiny_config

from triptych.render.renderer import RenderedRays
from triptych.training import generator as recipe_module
from triptych.training import passthrough_latents as attribute_carriers
from triptych.training.generator import Options
from triptych.training.loop import LoopConfig, Progress, train


@pytest.fixture
def recipe(made_up_shards, monkeypatch):
    """The recipe with a generator of toy size."""
    monkeypatch.setattr(
        recipe_module, "avatar_config", lambda z_dim: replace(tiny_config(), z_dim=z_dim)
    )
    train_set = made_up_shards(100_000, ["original"], heads=3, views=3, size=64)
    test_set = made_up_shards(0, ["original"], heads=2, views=3, size=64)
    options = Options(str(train_set), str(test_set), batch_heads=2, batch_views=2, patch=8)
    return recipe_module.build(options)


def test_patches_come_from_the_pictures(recipe):
    batch = recipe.patches.draw(torch.Generator().manual_seed(3))
    shards = recipe.shards
    pictures = np.stack([shards.get("rgb", head)[0] for head in range(len(shards))])
    column, row = batch.pixels[0, 5].long().tolist()
    shown = ((batch.rgb[0, 5] + 1) * 127.5).round().numpy()
    assert any((pictures[h, v, row, column] == shown).all() for h in range(3) for v in range(3))


def test_patch_grid_has_one_stride_and_stays_inside(recipe):
    rng = np.random.default_rng(0)
    regions = recipe.shards.get("regions", 0)[0]
    for _ in range(40):
        columns, rows = recipe.patches.window(regions, rng)
        assert len(np.unique(np.diff(columns))) == 1
        assert min(columns.min(), rows.min()) >= 0
        assert max(columns.max(), rows.max()) < 64


def test_share_of_patches_round_cloth(recipe):
    """Every patch round cloth has some of it near its middle; a corner of cloth is all there is."""
    recipe.patches.plan = replace(recipe.patches.plan, face_share=0.0, cloth_share=1.0)
    regions = np.zeros((64, 64), np.uint8)
    regions[60:, 60:] = 8
    rng = np.random.default_rng(0)
    for _ in range(40):
        columns, rows = recipe.patches.window(regions, rng)
        assert columns.mean() > 32
        assert rows.mean() > 32


def test_a_run_that_adds_carriers_learns_only_their_use(recipe, monkeypatch):
    monkeypatch.setattr(attribute_carriers, "ATTRIBUTE_DIM", recipe.generator.config.z_dim)
    monkeypatch.setattr(attribute_carriers, "attribute_slices", lambda: {"garment_rgb": slice(3)})
    carrying = recipe_module.build(replace(recipe.options, passthrough=("garment_rgb",)))
    before = {name: p.clone() for name, p in carrying.generator.named_parameters()}
    loss, _ = carrying.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    learnt = {n: p.grad for n, p in carrying.generator.named_parameters() if p.grad is not None}
    assert learnt
    assert all(name.endswith("affine.weight") for name in learnt)
    old = recipe.generator.config.w_dim
    for name, gradient in learnt.items():
        assert before[name].shape[1] == old + 3
        assert not gradient[:, :old].any()
    assert any(gradient[:, old:].any() for gradient in learnt.values())


def test_a_held_mapping_network_learns_nothing(recipe):
    held = recipe_module.build(replace(recipe.options, hold_mapping=True))
    loss, _ = held.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    without = {n for n, p in held.generator.named_parameters() if p.grad is None}
    assert without == {n for n, _ in held.generator.named_parameters() if ".mapping." in n}
    assert without


def test_loss_reaches_every_parameter(recipe):
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    missing = [name for name, p in recipe.generator.named_parameters() if p.grad is None]
    assert missing == []
    assert set(figures) == {"l1", "psnr", "opacity", "depth", "gradient", "chroma"}


@pytest.mark.parametrize(("error", "chroma"), [((0.3, 0.3, 0.3), 0.0), ((0.6, 0.0, 0.0), 0.4 / 3)])
def test_brightness_is_not_hue(recipe, error, chroma):
    """Halved to [0, 1], red off by 0.3 is off its mean by 0.2, the others by 0.1 each."""
    generator = torch.Generator().manual_seed(0)
    batch = recipe.patches.draw(generator)
    heads, pictures = len(batch.attributes), len(batch.rgb)
    features = (batch.rgb + torch.tensor(error)).reshape(heads, -1, 3)
    nothing = torch.zeros(heads, features.shape[1], 1)
    shown = RenderedRays(features, nothing, nothing)
    _, figures = recipe._compare(batch, shown, torch.zeros(pictures, batch.rgb.shape[1]))
    weight = float(recipe.chroma_weights[batch.regions].mean())
    assert figures["chroma"] == pytest.approx(chroma * weight, abs=1e-6)


@pytest.mark.slow
def test_training_lowers_the_loss_and_exports(makehuman_pack, tmp_path):
    from triptych.avatars.sets.shards import ShardPlan, write_shards
    from triptych.weights.loading import load_generator

    # Made-up pictures share no geometry, so nothing could be learnt from them.
    plan = ShardPlan(100_000, 2, num_views=3, size=64, supersampling=1)
    write_shards(tmp_path / "shards", plan, pack=makehuman_pack)
    folder = str(tmp_path / "shards")
    recipe = recipe_module.build(Options(folder, folder, batch_heads=2, batch_views=2, patch=8))
    lines: list[str] = []
    config = LoopConfig(steps=30, learning_rate=1.4e-3, weight_rate_gain=16.0, log_every_s=0.0)
    result = train(recipe, config, tmp_path, report=lines.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines if "loss" in line]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    recipe_module.export(recipe, result, tmp_path / "generator.safetensors")
    assert load_generator(tmp_path / "generator.safetensors").config == recipe.generator.config
