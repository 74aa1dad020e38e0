"""The avatar composer's decoder: what it is given, what learns, and that a swap stays local."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_composer_recipe import with_whole_attributes

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice
from triptych.systems.compose.training import supervised
from triptych.systems.compose.training.first_shape import fit_sphere, flatten_residuals, softness
from triptych.systems.compose.training.rendered_maps import RenderedMaps, true_picture
from triptych.systems.compose.training.supervised_decoder import (
    Options,
    build,
    export,
    with_decoder,
)
from triptych.training.loop import LoopConfig, Progress, train
from triptych.training.recipes import recipe_module
from triptych.weights.safetensors_file import save_module


def volume() -> RegionGenerator:
    """Return a small volume without a decoder, round and hard enough for the fast path."""
    sizes = supervised.Options(hidden=12, image_size=32, num_samples=16)
    generator = RegionGenerator(supervised.avatar_regions_config(sizes))
    fit_sphere(generator, steps=30, rate=1e-3, rng=torch.Generator().manual_seed(0))
    flatten_residuals(generator)
    softness(generator, 0.003)
    return generator


@pytest.fixture(scope="module")
def options(made_up_shards, tmp_path_factory) -> Options:
    file = tmp_path_factory.mktemp("volume") / "volume.safetensors"
    save_module(file, volume())
    return Options(
        str(file),
        with_whole_attributes(made_up_shards(100_000, ["original"], heads=2, size=32)),
        with_whole_attributes(made_up_shards(0, ["original"], heads=1, views=3, size=32)),
        render_size=16,
        feature_width=8,
        widths=(8, 6),
        batch=2,
        kept_heads=1,
    )


@pytest.fixture(scope="module")
def recipe(options):
    return build(options)


def test_the_recipe_is_known_by_name():
    assert recipe_module("composer-decoder").build is build


def test_what_is_kept_is_what_the_volume_shows(recipe):
    kept = recipe.maps.views(1)
    generator, shards = recipe.generator, recipe.shards
    codes = generator.codes_of_attributes(
        torch.from_numpy(np.array(shards.get("attributes", 1)))[None]
    )
    camera = Camera.with_focal(torch.from_numpy(np.array(shards.get("cam2world", 1))))
    true = generator.render(codes, camera)
    assert kept.features.shape == (shards.num_views, 3 + 12, 16, 16)
    assert torch.allclose(kept.features, true.features, atol=5e-3)
    assert torch.allclose(kept.regions, true.regions, atol=5e-3)


def test_heads_are_rendered_one_at_a_time_and_the_last_are_kept(recipe, monkeypatch):
    maps = RenderedMaps(recipe.generator, recipe.shards, kept=1, refresh_steps=3)
    rendered, views = [], maps.views
    monkeypatch.setattr(maps, "views", lambda head: rendered.append(head) or views(head))
    rng = np.random.default_rng(0)
    for _ in range(4):
        batch = maps.draw(2, rng)
        own = [
            true_picture(recipe.shards, rendered[-1], view)
            for view in range(recipe.shards.num_views)
        ]
        assert all(any(torch.equal(image, one) for one in own) for image in batch.image)
    assert len(rendered) == 2


def test_the_decoder_learns_and_the_volume_does_not(recipe, options, tmp_path):
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    assert {"l1", "region", "perceptual", "psnr", "sharpness"} <= figures.keys()
    learned = {n for n, p in recipe.generator.named_parameters() if p.grad is not None}
    assert learned
    assert all(name.startswith(("decoder.", "feature_transfer.")) for name in learned)
    loop = LoopConfig(steps=2, warmup_steps=1, threads=1, adaptive_threads=False)
    result = train(recipe, loop, tmp_path / "run")
    assert {"psnr", "iou"} <= result.metrics.keys()
    export(recipe, result, tmp_path / "composer.safetensors")
    pipeline = ComposePipeline.from_pretrained(tmp_path / "composer.safetensors")
    before = ComposePipeline.from_pretrained(Path(options.volume))
    assert torch.allclose(pipeline(3).codes, before(3).codes, atol=1e-3)
    one, other = pipeline(3), pipeline(3, [RegionChoice("hair", 8)])
    assert torch.equal(one.decoder_code, other.decoder_code)
    view = one.render()
    assert view.image.shape == (1, 3, 32, 32)
    assert view.regions.shape == (1, 9, 32, 32)
    assert view.image_raw.shape == (1, 3, 16, 16)


def test_renders_of_another_size_are_refused(options):
    with pytest.raises(UserError, match="32 pixels wide; expected 64"):
        build(replace(options, render_size=32))


def test_a_volume_without_attributes_is_refused(recipe):
    generator = copy.copy(recipe.generator)
    generator.config = replace(generator.config, latent_kind="gaussian")
    with pytest.raises(UserError, match="expected a generator of regions from"):
        with_decoder(generator, recipe.options)
