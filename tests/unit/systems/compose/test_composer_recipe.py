"""The avatar composer's recipe: what it compares, and that a few steps lower its loss."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.render.renderer import RenderedRays
from triptych.systems.compose.pipeline import ComposePipeline, RegionChoice
from triptych.systems.compose.region_shares import region_ious, whole_shares
from triptych.systems.compose.training.supervised import (
    Options,
    build,
    export,
    softness_at,
)
from triptych.systems.compose.training.surprises import inside_surprise, region_surprise
from triptych.training.loop import LoopConfig, Progress, train
from triptych.training.recipes import recipe_module


def with_whole_attributes(folder: Path) -> str:
    """Give made-up heads as many attributes as avatars have."""
    for shard in folder.glob("shard_*"):
        heads = len(np.load(shard / "seeds.npy"))
        rng = np.random.default_rng(0)
        np.save(shard / "attributes.npy", rng.normal(size=(heads, ATTRIBUTE_DIM)).astype("f4"))
    return str(folder)


@pytest.fixture(scope="module")
def recipe(made_up_shards):
    train_set = with_whole_attributes(made_up_shards(100_000, ["original"], heads=2))
    test_set = with_whole_attributes(made_up_shards(0, ["original"], heads=1, views=3, size=16))
    options = Options(
        train_set,
        test_set,
        hidden=12,
        image_size=16,
        num_samples=8,
        sphere_steps=60,
        batch_heads=1,
        patch=6,
        strides=(1, 2),
    )
    return build(options)


def test_the_recipe_is_known_by_name():
    assert recipe_module("composer").build is build


def test_surprise_by_hand():
    regions = torch.tensor([[[0.1, 0.4], [0.0, 0.0]]])
    rays = RenderedRays(
        torch.zeros(1, 2, 3), torch.zeros(1, 2, 1), torch.tensor([[[0.5], [0.0]]]), regions
    )
    found = region_surprise(rays, torch.tensor([[1, 0]]))
    assert torch.allclose(found, -torch.tensor([[0.4, 1.0]]).log(), atol=1e-6)
    found = region_surprise(rays, torch.tensor([[0, 1]]))
    assert torch.allclose(found, -torch.tensor([[0.6, 1e-3]]).log(), atol=1e-5)


def test_shares_of_what_is_not_covered_are_background():
    shares = whole_shares(torch.full((1, 2, 1, 1), 0.2), torch.full((1, 1, 1, 1), 0.4))
    assert shares.flatten().tolist() == pytest.approx([0.8, 0.2])


def test_overlap_by_hand():
    pred, target = torch.tensor([[[1, 1], [2, 0]]]), torch.tensor([[[1, 2], [2, 0]]])
    assert region_ious(pred, target, 9) == {0: 1.0, 1: 0.5, 2: 0.5}


def test_every_network_learns_but_the_first_shape(recipe):
    loss, figures = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    assert bool(loss.isfinite())
    assert {"l1", "region", "depth", "psnr", "inside"} <= figures.keys()
    still = {n for n, p in recipe.generator.named_parameters() if p.grad is None}
    # The features are what a decoder reads; there is none, but colours come through them.
    assert all("init_network" in name or name.endswith("sigmoid_beta") for name in still)
    learning = [p for group in recipe.groups() for p in group.parameters]
    assert len(learning) == len(list(recipe.generator.parameters())) - len(still)
    assert recipe.generator.style[0].weight.grad.abs().max() > 0


def test_a_few_steps_export_a_composer(recipe, tmp_path):
    loop = LoopConfig(steps=2, warmup_steps=1, threads=1, adaptive_threads=False)
    result = train(recipe, loop, tmp_path / "run")
    assert {"psnr", "iou"} <= result.metrics.keys()
    export(recipe, result, tmp_path / "composer.safetensors")
    pipeline = ComposePipeline.from_pretrained(tmp_path / "composer.safetensors")
    one, other = pipeline(3), pipeline(3, [RegionChoice("hair", 8)])
    changed = (one.codes != other.codes).any(dim=2)[0].nonzero()[:, 0].tolist()
    assert changed == [14, 15]
    assert one.render(size=16).regions.shape == (1, 9, 16, 16)


def test_the_first_shape_is_the_same_for_all_codes(recipe):
    field = recipe.generator.field(torch.zeros(1, 18, ATTRIBUTE_DIM))
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    one = field.networks.initial_sdf(points, field.codes)
    assert torch.equal(one, field.networks.initial_sdf(points, field.codes + 1))
    assert float(one.std()) > 0


def test_inside_and_outside_by_hand():
    distance = torch.tensor([[[0.01, -0.01, 0.5], [0.01, 0.01, 0.01]]])
    behind = torch.tensor([[[-0.1, 0.02, 0.3], [9.0, 9.0, 9.0]]])
    found = inside_surprise(distance, behind, torch.tensor([[[True], [False]]]))
    right = math.log1p(math.exp(-1))
    # Of six samples one, far behind the surface, is unknown; all others are right.
    assert float(found) == pytest.approx(5 * right / 6)
    wrong = inside_surprise(-distance, behind, torch.tensor([[[True], [False]]]))
    assert float(wrong) == pytest.approx(5 * (right + 1) / 6)


def test_surfaces_harden_down_to_a_limit():
    softness = [softness_at(step) for step in (0, 500, 1000, 10**6)]
    assert softness == pytest.approx([0.01, 0.005, 0.0025, 0.0012])


@pytest.mark.slow
def test_training_lowers_the_loss(makehuman_pack, tmp_path):
    from triptych.avatars.sets.shards import ShardPlan, write_shards

    # Made-up pictures share no geometry, so nothing could be learnt from them.
    plan = ShardPlan(100_000, 2, num_views=3, size=48, supersampling=1)
    write_shards(tmp_path / "shards", plan, pack=makehuman_pack)
    folder = str(tmp_path / "shards")
    sizes = {"hidden": 24, "image_size": 32, "num_samples": 24, "sphere_steps": 100}
    recipe = build(Options(folder, folder, **sizes, batch_heads=2, patch=8))
    lines: list[str] = []
    loop = LoopConfig(steps=60, learning_rate=2e-3, log_every_s=0.0, sheet_every_s=1e9)
    train(recipe, loop, tmp_path / "run", report=lines.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines if "loss" in line]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])
