"""The recipe of the example styler, and what it is used for: a picture restyles every head."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from toy_portraits import tiny_generator
from toy_shards import toy_head

from triptych.avatars.sets.shards import write_shard
from triptych.errors import UserError
from triptych.models.example_styler import ExampleStyler, ExampleStylerConfig
from triptych.models.style_strength import StyleStrength
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.portrait import Portrait
from triptych.runs.style_source import StyleSource
from triptych.systems.adapt.training import avatar_styles
from triptych.systems.generate.job import GenerateJob
from triptych.training.avatar_views import tinted
from triptych.training.loop import Progress, TrainingResult, train
from triptych.training.ray_comparison import RayWeights
from triptych.weights import load_features, load_network, save_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of three heads, a generator, a feature network, and a picture."""
    folder = tmp_path_factory.mktemp("styles")
    (folder / "shards").mkdir()
    write_shard(folder / "shards" / "shard_0", [toy_head(seed) for seed in range(3)])
    save_module(folder / "generator.safetensors", tiny_generator(), dtype=None)
    torch.manual_seed(0)
    body = AvatarFeatures(FeatureNetworkConfig(("original", "jade"), 4, channels=(2, 2, 2, 2, 2)))
    save_module(folder / "body.safetensors", body, dtype=None)
    Image.new("RGB", (40, 40), (200, 30, 30)).save(folder / "red.png")
    return folder


def options(folder, **chosen) -> avatar_styles.Options:
    return avatar_styles.Options(
        generator=str(folder / "generator.safetensors"),
        body=str(folder / "body.safetensors"),
        shards=str(folder / "shards"),
        test_shards=str(folder / "shards"),
        batch=2,
        views=1,
        patch=16,
        weights=RayWeights(perceptual=0),
        **chosen,
    )


@pytest.fixture(scope="module")
def recipe(folder):
    return avatar_styles.build(options(folder, hold_out=("elf",)))


@pytest.fixture(scope="module")
def styler(folder, recipe):
    """The file of a styler that changes every head a little."""
    with torch.no_grad():
        for affine in (*recipe.styler.affine1, *recipe.styler.colours.values()):
            affine.bias.add_(0.3)
    result = TrainingResult({"styler": recipe.styler}, 1, {"psnr": 1.0})
    avatar_styles.export(recipe, result, folder / "styler.safetensors")
    return folder / "styler.safetensors"


def test_code_and_affine_maps_learn_and_nothing_else(recipe):
    loss, _ = recipe.loss(Progress(0, 0.0), torch.Generator().manual_seed(0))
    loss.backward()
    learning = {
        name.split(".")[0] for name, p in recipe.styler.named_parameters() if p.grad is not None
    }
    assert learning == {"encode", "affine1", "shift", "colours"}
    assert all(p.grad is None for p in recipe.generator.parameters())


def test_held_out_styles_are_not_drawn_but_measured(recipe, folder):
    rng = np.random.default_rng(0)
    drawn = {recipe.views.choose(rng, 0.1).variant for _ in range(200)}
    assert "jade" in drawn
    assert "elf" not in drawn
    assert {"unstyled", "psnr", "held_out_psnr"} <= recipe.evaluate(recipe.modules).keys()
    with pytest.raises(UserError, match="there is no style 'elves'"):
        avatar_styles.build(options(folder, hold_out=("elves",)))


@pytest.mark.slow
def test_a_run_stops_resumes_and_writes_its_sheet(folder, recipe, tmp_path):
    quick = dataclasses.replace(avatar_styles.LOOP, steps=1, threads=1, adaptive_threads=False)
    for steps in (1, 2):
        new = avatar_styles.build(options(folder))
        assert train(new, quick, tmp_path).step == steps
    assert (tmp_path / "sheets" / "step_000002.png").is_file()


def test_tints_keep_the_plain_background():
    matrix = torch.tensor([[[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]])
    colours = torch.tensor([[[0.5, 0.5, 0.5], [0.9, 0.1, 0.2]]])
    made = tinted(colours, matrix)
    assert torch.allclose(made, torch.tensor([[[0.5, 0.5, 0.5], [0.1, 0.9, 0.2]]]))


def test_a_new_styler_leaves_heads_as_they_are(folder):
    body = load_features(folder / "body.safetensors")
    styler = ExampleStyler(ExampleStylerConfig.of(tiny_generator(), "toy", "1" * 64, body))
    numbers = styler(torch.rand(2, 3, 64, 64)).one(1)
    assert all(bool((factor == 1).all()) for factor in numbers.factors.values())
    assert all(bool((shift == 0).all()) for shift in numbers.shifts.values())
    assert all(bool((part == 0).all()) for part in numbers.colours.parts().values())


def test_one_picture_restyles_every_head(folder, styler, tmp_path):
    model = str(folder / "generator.safetensors")
    job = GenerateJob((3,), model, size=16)
    source = StyleSource(folder / "red.png", str(styler), "avatar")
    job.run(tmp_path / "plain")
    for name, strength in (("styled", 1.0), ("none", 0.0)):
        amount = StyleStrength.chosen(strength)
        dataclasses.replace(job, style=source, strength=amount).run(tmp_path / name)
    plain, styled, none = (
        Portrait.load(tmp_path / name / "seed00003.safetensors")
        for name in ("plain", "styled", "none")
    )
    assert not torch.equal(plain.planes, styled.planes)
    assert torch.equal(plain.planes, none.planes)
    assert torch.equal(plain.render(size=16).image, none.render(size=16).image)
    assert styled.provenance["style"]["provenance"]["artworks"] == ["red.png"]


def test_what_makes_no_style(folder, styler, tmp_path):
    foreign = load_network(styler, "example-styler")
    foreign.config = dataclasses.replace(foreign.config, generator="other", sha256="2" * 64)
    save_module(tmp_path / "foreign.safetensors", foreign, dtype=None)
    model = str(folder / "generator.safetensors")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    for path, named, said in (
        (folder / "red.png", "avatar-styler", "does not have"),
        (folder / "red.png", tmp_path / "foreign.safetensors", "for the generator 'other'"),
        (folder / "red.png", folder / "body.safetensors", "expected an ExampleStyler"),
        (tmp_path / "broken.png", styler, "broken.png"),
        (tmp_path / "absent.png", styler, "there is no picture"),
    ):
        with pytest.raises(UserError, match=said):
            StyleSource(path, str(named)).plan(model)
