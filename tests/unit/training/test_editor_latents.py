"""Encoded pairs: the right pictures belong together, and nothing is encoded twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.filters import apply_filter
from triptych.training.editor import latents as editor_latents
from triptych.training.editor.latents import EncodingPlan, encode_shards
from triptych.training.editor.networks import EditorNetworksConfig, build_vae
from triptych.training.editor.style_weights import VariantSampler
from triptych.training.editor.vae import save_vae
from triptych.training.style_variants import drawable_variants, drawn_styles, pictures_of

PLAN = EncodingPlan(filtered_views=1, filtered_combinations=2)


@pytest.fixture(scope="module")
def shards(made_up_shards) -> ShardSet:
    return ShardSet(made_up_shards(100_000))


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return build_vae(EditorNetworksConfig(image_size=32)).eval()


@pytest.fixture
def vae_folder(vae, tmp_path: Path) -> Path:
    save_vae(vae, tmp_path / "vae")
    return tmp_path / "vae"


def test_pairs_join_the_same_head_and_camera(shards, vae, vae_folder, tmp_path):
    pairs = encode_shards([shards], vae, vae_folder, tmp_path / "latents", PLAN)
    drawn = len(drawn_styles())
    per_head = 3 * 2 + drawn + 2  # three looks from two cameras, drawings, combinations
    assert len(pairs.variants) == 3 * per_head
    assert len(pairs.latents) == 3 * (per_head + 2)
    numbers = pairs.by_variant()
    assert len(numbers["bronze"]) == 3 * 2
    # The second camera of the second head, as an elf.
    pair = int(numbers["elf"][3])
    with torch.no_grad():
        source = vae.encode(pictures_of(shards, 1, ORIGINAL, [1])).latents[0]
        target = vae.encode(pictures_of(shards, 1, "elf", [1])).latents[0]
    stored_source = pairs.latents[pairs.source[pair]].float()
    stored_target = pairs.latents[pairs.target[pair]].float()
    scale = target.abs().max()
    assert (stored_source - source).abs().max() < 0.03 * scale
    assert (stored_target - target).abs().max() < 0.03 * scale
    assert (source - target).abs().max() > 0.1 * scale


def test_a_second_run_reads_what_the_first_encoded(shards, vae, vae_folder, tmp_path, monkeypatch):
    first = encode_shards([shards], vae, vae_folder, tmp_path / "latents", PLAN)
    monkeypatch.setattr(editor_latents, "encode", lambda *_: pytest.fail("encoded again"))
    second = encode_shards([shards], vae, vae_folder, tmp_path / "latents", PLAN)
    assert torch.equal(first.latents, second.latents)
    assert first.variants == second.variants


def test_several_sets_keep_their_pairs_apart(made_up_shards, shards, vae, vae_folder, tmp_path):
    renders = ShardSet(made_up_shards(200_000, ("original", "gold"), heads=2))
    cache = tmp_path / "latents"
    alone = encode_shards([renders], vae, vae_folder, cache, PLAN)
    joined = encode_shards([shards, renders], vae, vae_folder, cache, PLAN)
    offset = len(joined.variants) - len(alone.variants)
    assert joined.variants[offset:] == alone.variants
    for number in (0, len(alone.variants) - 1):
        expected = alone.latents[alone.source[number]]
        assert torch.equal(joined.latents[joined.source[offset + number]], expected)


def test_drawn_looks_are_filters_of_the_rendered_picture(shards):
    bronze = pictures_of(shards, 0, "bronze", [1])
    drawn = pictures_of(shards, 0, "bronze+pencil sketch", [1])
    assert torch.equal(drawn, apply_filter("pencil", bronze))
    assert "cartoon" not in drawn_styles()
    assert "bronze+oil painting" in drawable_variants(["original", "bronze", "old+elf"])
    assert not [variant for variant in drawable_variants(["original", "old+elf"])]


def test_sampler_keeps_the_shares_of_looks():
    numbers = {
        "bronze": np.arange(10),
        "elf": np.arange(10, 12),
        "old+elf": np.arange(12, 15),
    }
    sampler = VariantSampler(numbers, combination_share=0.2)
    drawn = sampler.draw(20_000, np.random.default_rng(0))
    combined = (drawn >= 12).mean()
    elves = ((drawn >= 10) & (drawn < 12)).mean()
    # An elf weighs 2.2 materials, however few pairs there are of it.
    assert combined == pytest.approx(0.2, abs=0.02)
    assert elves == pytest.approx(0.8 * 2.2 / 3.2, abs=0.02)
    assert set(drawn) == set(range(15))
