"""The stylize pipeline from words to portrait, in miniature."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_stylize import resized_head

from triptych.errors import UserError
from triptych.files import read_json
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.portrait import TriPlanePortrait
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.weights import save_module


class _CutError(Exception):
    """Somebody pulled the plug."""


def _cut_at(stage: str, count: int):
    def progress(now: str, done: int, total: int) -> None:
        if now == stage and done >= count:
            raise _CutError

    return progress


def test_result_moves_towards_the_edited_views(pipeline, settings):
    result = pipeline("blue", identity=3, settings=settings)
    held_out = [variant["l1"] for variant in result.report["held_out"]]
    assert held_out[-1] < 0.6 * held_out[0]
    edited = result.views.images
    pred = result.portrait.render(result.views.cameras).image
    original = result.original.render(result.views.cameras).image
    assert (pred - edited).abs().mean() < 0.5 * (original - edited).abs().mean()


def test_report_says_how_it_was_made(pipeline, settings, tmp_path):
    settings = dataclasses.replace(settings, steps=10)
    result = pipeline("green", identity=3, seed=2, settings=settings, work_dir=tmp_path)
    report = result.report
    assert report["prompt"] == "green"
    assert report["seed"] == 2
    assert report["identity"]["seed"] == 3
    assert report["settings"]["steps"] == 10
    assert report["notes"] == ["unknown words: green"]
    assert set(report["seconds"]) == {"rendering", "editing", "fitting", "total"}
    assert [variant["step"] for variant in report["held_out"]] == [10]
    assert result.portrait.provenance["prompt"] == "green"
    views = read_json(tmp_path / "views" / "views.json")
    assert views["editor"] == "recolouring"
    assert views["editor_settings"]["noise_level"] == 0.9


@pytest.mark.parametrize(
    ("stage", "count"),
    [
        pytest.param("rendering views", 4, marks=pytest.mark.thorough),
        pytest.param("editing views", 8, marks=pytest.mark.thorough),
        ("fitting", 23),
    ],
)
def test_cut_run_goes_on_and_ends_the_same(stage, count, pipeline, editor, settings, tmp_path):
    settings = dataclasses.replace(settings, steps=30)
    whole = pipeline("blue", identity=3, settings=settings)
    pipeline.seconds_between_checkpoints = 0.0
    with pytest.raises(_CutError):
        pipeline(
            "blue", identity=3, settings=settings, work_dir=tmp_path, progress=_cut_at(stage, count)
        )
    edited_before = editor.edited
    seen = []
    result = pipeline(
        "blue",
        identity=3,
        settings=settings,
        work_dir=tmp_path,
        progress=lambda *event: seen.append(event),
    )
    torch.testing.assert_close(result.portrait.planes, whole.portrait.planes)
    assert result.report["held_out"] == whole.report["held_out"]
    if stage == "editing views":
        assert editor.edited - edited_before == 13 - 8
    if stage == "fitting":
        assert editor.edited == edited_before
        assert min(done for now, done, _ in seen if now == "fitting") == 23


def test_finished_run_is_not_fitted_again(pipeline, settings, tmp_path):
    settings = dataclasses.replace(settings, steps=10)
    first = pipeline("blue", identity=3, settings=settings, work_dir=tmp_path)
    stages = []
    again = pipeline(
        "blue",
        identity=3,
        settings=settings,
        work_dir=tmp_path,
        progress=lambda stage, done, total: stages.append(stage),
    )
    assert "fitting" not in stages
    assert torch.equal(again.portrait.planes, first.portrait.planes)
    assert again.report["held_out"] == first.report["held_out"]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"prompt": "red"}, "prompt"), ({"seed": 9}, "seed"), ({"identity": 4}, "identity")],
)
def test_folder_of_another_request_is_refused(change, named, pipeline, settings, tmp_path):
    request = {"prompt": "blue", "identity": 3, "seed": 0}
    settings = dataclasses.replace(settings, steps=1)
    pipeline(**request, settings=settings, work_dir=tmp_path)
    with pytest.raises(UserError, match=f"unfinished run with another {named}"):
        pipeline(**(request | change), settings=settings, work_dir=tmp_path)


def test_folder_of_other_settings_is_refused(pipeline, settings, tmp_path):
    settings = dataclasses.replace(settings, steps=1)
    pipeline("blue", identity=3, settings=settings, work_dir=tmp_path)
    other = dataclasses.replace(settings, density_std=0.1)
    with pytest.raises(UserError, match="another settings"):
        pipeline("blue", identity=3, settings=other, work_dir=tmp_path)


def test_views_without_their_run_are_refused(pipeline, settings, tmp_path):
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "view_000.png").write_bytes(b"")
    with pytest.raises(UserError, match="views of an earlier run"):
        pipeline("blue", identity=3, settings=settings, work_dir=tmp_path)


def test_portrait_can_be_styled_again(pipeline, settings, tmp_path):
    settings = dataclasses.replace(settings, steps=2)
    pipeline.subject(3).save(tmp_path / "head.safetensors", exact=True)
    head = TriPlanePortrait.load(tmp_path / "head.safetensors")
    from_file = pipeline("blue", identity=head, settings=settings)
    from_seed = pipeline("blue", identity=3, settings=settings)
    torch.testing.assert_close(from_file.portrait.planes, from_seed.portrait.planes)
    twice = pipeline("blue", identity=from_file.portrait, settings=settings)
    assert torch.equal(twice.original.planes, from_file.portrait.planes)


def test_portrait_of_another_prior_is_refused(pipeline, settings):
    head = pipeline.subject(3)
    for channels, width in [(8, 32), (4, 64)]:
        backbone = dataclasses.replace(head.config.backbone, plane_channels=channels)
        config = dataclasses.replace(head.config, backbone=backbone)
        planes = torch.zeros(1, 3, channels, 32, width)
        other = dataclasses.replace(head, planes=planes, config=config)
        with pytest.raises(UserError, match="use a head of the same prior"):
            pipeline("blue", identity=other, settings=settings)


def test_head_with_finer_planes_keeps_their_size_and_moves_towards_the_edits(pipeline, settings):
    head = resized_head(pipeline.subject(3), 64)
    settings = dataclasses.replace(settings, num_yaw=2, num_pitch=3, steps=40)
    result = pipeline("blue", identity=head, settings=settings)
    assert result.portrait.planes.shape == (1, 3, 4, 64, 64)
    assert result.portrait.image_size == result.views.images.shape[-1] == 64
    held_out = [variant["l1"] for variant in result.report["held_out"]]
    assert held_out[-1] < 0.8 * held_out[0]


def test_perceptual_term_is_part_of_the_loss(tiny_generator, tiny_network, editor, settings):
    calls = []

    def squared(first, second):
        calls.append(first.shape)
        return (first - second).square().mean((1, 2, 3))

    pipeline = StylizePipeline(tiny_generator, tiny_network, editor, squared)
    settings = dataclasses.replace(settings, steps=2, evaluate_every=2, perceptual_weight=1.0)
    result = pipeline("blue", identity=3, settings=settings)
    variant = result.report["held_out"][0]
    assert calls[0] == (4, 3, 16, 16)
    assert variant["perceptual"] > 0
    assert variant["loss"] == pytest.approx(variant["l1"] + variant["perceptual"])


def test_models_of_a_folder(tiny_generator, tiny_network, editor, settings, tmp_path):
    features = AvatarFeatures(FeatureNetworkConfig(style_names=("a", "b"), attribute_dim=3))
    save_module(tmp_path / "generator.safetensors", tiny_generator, dtype=None)
    save_module(tmp_path / "i2t.safetensors", tiny_network, dtype=None)
    save_module(tmp_path / "features.safetensors", features)
    pipeline = StylizePipeline.from_pretrained(tmp_path, editor=editor)
    assert set(pipeline.hashes) == {"generator", "image_to_triplane", "features"}
    settings = dataclasses.replace(settings, steps=1)
    loaded = pipeline("blue", identity=3, settings=settings)
    given = StylizePipeline(tiny_generator, tiny_network, editor)
    expected = given("blue", identity=3, settings=settings)
    torch.testing.assert_close(loaded.portrait.planes, expected.portrait.planes)
    with pytest.raises(UserError, match="editor is missing"):
        StylizePipeline.from_pretrained(tmp_path)


def test_folder_without_models_is_refused(tmp_path, editor):
    with pytest.raises(UserError, match="cannot read .*generator.safetensors"):
        StylizePipeline.from_pretrained(tmp_path, editor=editor)
    with pytest.raises(UserError, match="expected 'avatar' or a folder"):
        StylizePipeline.from_pretrained(tmp_path / "absent", editor=editor)
