"""Both avatar recipes: what they learn from, who learns, that words and pictures are mixed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_portraits import tiny_generator
from toy_shards import toy_head

from triptych.avatars.sets.shards import ShardSet, write_shard
from triptych.errors import UserError
from triptych.render.guided_rays import GuidedSampling
from triptych.systems.edit.training import avatar_base, avatar_edit
from triptych.systems.edit.training.known_planes import KnownPlanes
from triptych.training.avatar_patches import PatchPlan
from triptych.training.avatar_views import AvatarViews, Chosen, keeps_shape
from triptych.training.loop import LoopConfig, Progress, train
from triptych.training.plane_statistics import plane_statistics
from triptych.training.ray_comparison import RayWeights
from triptych.weights import save_module
from triptych.weights.loading import load_network

QUICK = {"batch": 2, "views": 1, "patch": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of three heads and a generator."""
    folder = tmp_path_factory.mktemp("avatars")
    (folder / "shards").mkdir()
    write_shard(folder / "shards" / "shard_0", [toy_head(seed) for seed in range(3)])
    save_module(folder / "generator.safetensors", tiny_generator(), dtype=None)
    return folder


@pytest.fixture(scope="module")
def base(folder):
    """The recipe of a new base, whose weights are in the folder too."""
    recipe = avatar_base.build(
        avatar_base.Options(
            str(folder / "generator.safetensors"),
            *shards(folder),
            weights=RayWeights(perceptual=0),
            **QUICK,
        )
    )
    save_module(folder / "base.safetensors", recipe.network, dtype=None)
    return recipe


@pytest.fixture(scope="module")
def editing(folder, base):
    return avatar_edit.build(
        avatar_edit.Options(
            str(folder / "base.safetensors"),
            shards=shards(folder)[0],
            test_shards=shards(folder)[1],
            text_share=0.5,
            weights=RayWeights(perceptual=0),
            **QUICK,
        )
    )


def shards(folder) -> tuple[str, str]:
    return (str(folder / "shards"),) * 2


def quick(recipe) -> LoopConfig:
    return LoopConfig(**{**vars(recipe.LOOP), "steps": 1, "threads": 1, "adaptive_threads": False})


def learning_parts(recipe) -> set[str]:
    """Return the parts that get a gradient in a step."""
    rng = torch.Generator().manual_seed(0)
    loss, _ = recipe.loss(Progress(0, 0.0), rng)
    loss.backward()
    assert torch.isfinite(loss)
    return {
        ".".join(name.split(".")[: 1 if name.startswith("text") else 2])
        for name, parameter in recipe.network.named_parameters()
        if parameter.grad is not None
    }


def test_a_new_base_starts_near_the_mean_plane_and_learns(base):
    mean, spread = plane_statistics(base.generator)
    planes = base.network.encoder(torch.zeros(1, 3, 64, 64))[0].detach()
    assert float(((planes - mean) / spread).abs().mean()) < 0.5
    decoder = base.network.renderer.decoder.state_dict()
    assert all(torch.equal(t, base.generator.decoder.state_dict()[n]) for n, t in decoder.items())
    parts = ("encoder", "decoder", "F_encoder", "EHigh_encoder", "Final_encoder")
    assert learning_parts(base) == {f"encoder.{part}" for part in parts}


def test_planes_of_heads_are_the_generators_and_kept_up_to_a_number(base):
    shards = base.views.shards
    known = KnownPlanes(base.generator, shards, kept=1)
    with torch.no_grad():
        attributes = torch.from_numpy(np.stack([shards.get("attributes", i) for i in (2, 0)]))
        true = base.generator.planes(base.generator.mapping(attributes))
    for _ in range(2):
        planes = known([2, 0])
        assert planes.dtype == torch.float32
        assert float((planes - true).abs().max()) < 1e-3 * float(true.abs().max())
    assert list(known._kept) == [2]


def test_the_editor_learns_behind_a_frozen_base(editing):
    parts = learning_parts(editing)
    assert parts == {"encoder.Ref_encoder", "encoder.Final_encoder", "text"}


def test_words_become_tokens_where_the_network_takes_them(base, editing):
    states = editing.words.prompt("an elf")
    assert editing.network.text_tokens(states).shape == (1, states.shape[1], 192)
    with pytest.raises(UserError, match=r"text states: got .1, 2, 3.; expected .b, k, 128."):
        editing.network.text_tokens(torch.zeros(1, 2, 3))
    with pytest.raises(UserError, match="takes no words"):
        base.network.text_tokens(states)


@pytest.mark.slow
def test_both_recipes_run_and_write_weights(folder, base, editing, tmp_path):
    for module, recipe in ((avatar_base, base), (avatar_edit, editing)):
        result = train(recipe, quick(module), tmp_path / recipe.name)
        assert {"psnr", "words"} & result.metrics.keys()
        module.export(recipe, result, tmp_path / "out.safetensors")
        network = load_network(tmp_path / "out.safetensors", "portrait-encoder")
        assert (network.config.text is None) == (module is avatar_base)


@pytest.fixture(scope="module")
def views(folder) -> AvatarViews:
    plan = PatchPlan(heads=2, views=2, patch=16, strides=(1,), face_share=0.0)
    return AvatarViews(ShardSet(folder / "shards"), plan, drawn_share=0.3)


def test_targets_are_drawn_by_their_shares(views):
    rng = np.random.default_rng(0)
    names = [views.choose(rng, 0.2).variant for _ in range(400)]
    share = {name: names.count(name) / len(names) for name in set(names)}
    assert share["original"] == pytest.approx(0.2, abs=0.06)
    assert share["jade"] == pytest.approx(0.28, abs=0.08)
    drawn = sum(part for name, part in share.items() if name in views.drawn)
    assert drawn == pytest.approx(0.24, abs=0.07)


def test_rays_show_the_variant_and_know_the_original_shape(views):
    sampling = GuidedSampling()
    chosen = [Chosen(0, "jade", 0), Chosen(1, "original", 1)]
    true = views.true_rays(chosen, sampling, np.random.default_rng(0))
    assert true.rays.origins.shape == (2, 2 * 16 * 16, 3)
    assert true.depths.shape == (2, 2 * 16 * 16, sampling.num_spread + sampling.num_guided)
    greys = true.rgb.flatten(1).unique(dim=1)[:, 0]
    assert torch.allclose(greys, torch.tensor([80.0, 80, 40, 40]) / 127.5 - 1, atol=1e-6)
    assert true.is_shape[:, 0].tolist() == [0, 0, 1, 1]
    solid = true.opacity > 0.5
    assert (true.distance[solid] >= 2.6 - 2e-3).all()
    assert (true.distance[~solid] == 0).all()


def test_references_are_other_heads_in_the_same_style(views):
    reference = views.reference(Chosen(0, "elf", 0), np.random.default_rng(0))
    assert torch.allclose(reference, torch.full_like(reference, 120 / 127.5 - 1), atol=1e-6)


def test_filters_keep_the_shape_and_other_styles_may_not():
    assert keeps_shape("original")
    assert keeps_shape("pencil sketch")
    assert not keeps_shape("elf")
    assert not keeps_shape("jade+pencil sketch")
