"""Custom edits: residual weights, their files, how they are learned and applied."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
import torch
from toy_edit import pictures, tiny_editing_network, tiny_network

from triptych.errors import UserError
from triptych.export.pictures import colour_picture, save_png
from triptych.systems.edit.adaptation.learning import AdaptationSettings, EditLearner
from triptych.systems.edit.adaptation.pairs import Pair, pair_files, read_pair
from triptych.systems.edit.encoder_config import published_encoder
from triptych.systems.edit.pipeline import EditPipeline
from triptych.systems.edit.plane_branch import PlaneBranch
from triptych.systems.edit.residual_weights import ResidualWeights
from triptych.systems.edit.style import LARGEST_FILE, EditModel, EditStyle, rounded

MODEL = EditModel("toy", "1" * 64, "mosaic")
TOY_SETTINGS = AdaptationSettings(steps=12, size=16, check_every=4, perceptual=0, rate=0.02)


@pytest.fixture(scope="module")
def pipeline() -> EditPipeline:
    return EditPipeline(tiny_editing_network(), name="toy", hashes={"portrait-encoder": "1" * 64})


@pytest.fixture(scope="module")
def untouched(pipeline) -> EditStyle:
    branch, rng = pipeline.network.encoder.Final_encoder, torch.Generator().manual_seed(0)
    tokens = torch.randn(1, 3, 8, generator=rng).half().float()
    return EditStyle(MODEL, tokens, ResidualWeights.untouched(branch, 2, rng))


@pytest.fixture(scope="module")
def pairs(pipeline) -> list[Pair]:
    """Bright pictures that become dark; the last one's camera is unknown."""
    camera = pipeline.network.config.rendering.view.camera(0.1)
    return [
        Pair(f"p{seed}", pictures(seed=seed), pictures(seed=seed) * 0.2 - 0.7, seen)
        for seed, seen in enumerate((camera, camera, None))
    ]


def test_residuals_of_zero_change_nothing(pipeline, untouched):
    encoder = pipeline.network.encoder
    features = encoder.photo_features(pictures())
    styled = untouched.applied_to(encoder)
    tokens = untouched.tokens
    assert torch.equal(styled.planes(features, tokens), encoder.planes(features, tokens))
    assert styled.Ref_encoder is encoder.Ref_encoder
    assert styled.Final_encoder is not encoder.Final_encoder


def test_residuals_are_products_of_their_factors(pipeline, untouched):
    branch = pipeline.network.encoder.Final_encoder
    parts = untouched.residuals
    up = {name: torch.ones_like(t) for name, t in parts.up.items()}
    down = {name: torch.full_like(t, 0.25) for name, t in parts.down.items()}
    changed = replace(parts, up=up, down=down).parameters_of(branch)
    for name, value in changed.items():
        added = 0.5 if name.endswith("weight") else 0.0
        assert torch.allclose(value, branch.get_parameter(name) + added, atol=1e-6)
    assert "block.mlp.dwconv.dwconv.weight" not in changed


def test_files_give_back_what_was_saved(pipeline, untouched, tmp_path):
    untouched.save(tmp_path / "s.safetensors")
    loaded = EditStyle.load(tmp_path / "s.safetensors")
    assert loaded.model == MODEL
    assert loaded.sha256 == untouched.sha256
    tokens, residuals = rounded(untouched.tokens, untouched.residuals)
    same = EditStyle(MODEL, tokens, residuals)
    by_file, by_value = (
        pipeline(pictures(), style=style).portrait for style in (tmp_path / "s.safetensors", same)
    )
    assert torch.equal(by_file.planes, by_value.planes)
    assert by_file.provenance["style"]["name"] == "mosaic"


def test_official_edits_fit_into_two_megabytes():
    branch = PlaneBranch(published_encoder())
    residuals = ResidualWeights.untouched(branch, AdaptationSettings().rank, torch.Generator())
    numbers = sum(tensor.numel() for tensor in residuals.tensors().values()) + 197 * 768
    assert 2 * numbers < 0.8 * LARGEST_FILE


def test_edits_of_other_networks_and_broken_files_are_refused(pipeline, untouched, tmp_path):
    other = EditStyle(EditModel("other", "2" * 64), untouched.tokens, untouched.residuals)
    with pytest.raises(UserError, match="was learned on the network .other."):
        pipeline(pictures(), style=other)
    narrow = replace(untouched.residuals, shift={})
    narrow_file, file = tmp_path / "n.safetensors", tmp_path / "s.safetensors"
    EditStyle(MODEL, untouched.tokens, narrow).save(narrow_file)
    with pytest.raises(UserError, match="residual .shift.* does not fit the network"):
        pipeline(pictures(), style=narrow_file)
    EditStyle(MODEL, torch.zeros(2, 3, 8), untouched.residuals).save(file)
    with pytest.raises(UserError, match="prompt tokens are missing or broken"):
        EditStyle.load(file)
    EditStyle(MODEL, untouched.tokens * torch.nan, untouched.residuals).save(file)
    with pytest.raises(UserError, match="finite numbers"):
        EditStyle.load(file)


def test_an_edit_is_learned_and_the_held_out_pair_decides(pipeline, pairs):
    learned = EditLearner(pipeline.network, MODEL, TOY_SETTINGS)(pairs)
    report = learned.report
    assert report["held_out"]
    assert report["steps"] == 12
    assert report["best_step"] > 0
    assert report["distance"] < report["distance_before"]
    again = EditLearner(pipeline.network, MODEL, TOY_SETTINGS)(pairs)
    assert again.style.sha256 == learned.style.sha256


def test_snapshots_are_taken_when_their_time_has_come(pipeline, pairs):
    ticks = count()
    settings = replace(TOY_SETTINGS, steps=100, seconds=9.0)
    learner = EditLearner(pipeline.network, MODEL, settings, clock=lambda: float(next(ticks)))
    learned = learner(pairs[:1], snapshots=(3.0, 60.0))
    assert not learned.report["held_out"]
    assert learned.report["steps"] == 8
    assert learned.snapshots[3.0].sha256 != learned.style.sha256
    assert learned.snapshots[60.0].sha256 == learned.style.sha256


def test_networks_without_their_base_cannot_teach(pairs):
    with pytest.raises(UserError, match="does not keep the base"):
        EditLearner(tiny_network(), MODEL, TOY_SETTINGS)(pairs)


def test_strength_goes_from_the_unedited_head_to_the_edit(pipeline):
    photo, reference = pictures(seed=1), pictures(seed=2)
    encoder = pipeline.network.encoder
    plain = encoder.unedited_planes(encoder.photo_features(photo))
    none, half, whole = (
        pipeline(photo, reference=reference, strength=strength).portrait.planes
        for strength in (0.0, 0.5, 1.0)
    )
    assert torch.allclose(none, plain, atol=1e-4)
    assert torch.allclose(half, (plain + whole) / 2, atol=1e-4)


def test_a_base_can_be_given_to_a_network_that_left_it(pipeline):
    editing, base = (
        tiny_network(),
        tiny_network(replace(tiny_network().config.encoder, prompt=None)),
    )
    shared = {
        k: v for k, v in base.encoder.state_dict().items() if k in editing.encoder.state_dict()
    }
    editing.encoder.load_state_dict(
        {k: v for k, v in shared.items() if not k.startswith("Final")}, strict=False
    )
    whole = editing.with_base(base)
    features = base.encoder.photo_features(pictures())
    assert torch.equal(whole.encoder.unedited_planes(features), base.encoder.planes(features))
    assert not editing.config.encoder.keeps_base
    with pytest.raises(UserError, match="not the one that this network was trained over"):
        tiny_network(seed=5).with_base(base)


def test_batches_equal_single_calls(pipeline):
    photos, reference = [pictures(seed=1), pictures(seed=2)], pictures(seed=3)
    together = pipeline.batch(photos, reference=reference)
    for photo, edited in zip(photos, together, strict=True):
        alone = pipeline(photo, reference=reference).portrait
        assert torch.allclose(edited.portrait.planes, alone.planes, atol=1e-4)
        assert edited.portrait.provenance == alone.provenance
    with pytest.raises(UserError, match="photos: got 0"):
        pipeline.batch([], reference=reference)


def write(folder, *names, size=64):
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        save_png(path, colour_picture(pictures(size=size)[0]))


def test_pairs_are_matched_by_name(pipeline, tmp_path):
    write(tmp_path, "before/a", "before/b", "after/a", "after/b")
    files = pair_files(tmp_path)
    assert [source.name for source, _ in files] == ["a.png", "b.png"]
    pair = read_pair(*files[0], pipeline)
    assert pair.before.shape == pair.after.shape == (1, 3, 64, 64)
    write(tmp_path, "after/b", size=32)
    with pytest.raises(UserError, match="32 pixels a side, the picture before 64"):
        read_pair(*pair_files(tmp_path)[1], pipeline)
    write(tmp_path, "after/c")
    with pytest.raises(UserError, match="after/c has no partner"):
        pair_files(tmp_path)
    write(tmp_path, *(f"{part}/{n}" for part in ("before", "after") for n in "cdefghijk"))
    with pytest.raises(UserError, match="holds 11 pairs; expected 1 to 10"):
        pair_files(tmp_path)
    with pytest.raises(UserError, match="there is no folder .*elsewhere/before"):
        pair_files(tmp_path / "elsewhere")
