"""The inversion table with a toy generator whose own heads are the truth."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from narrow_inception import narrow_network
from PIL import Image
from toy_inversion import CAMERA, SETTINGS, SIZE, head_of, toy_encoder, toy_pipeline
from toy_portraits import tiny_generator as make_generator

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import Camera, look_at_camera
from triptych.errors import UserError
from triptych.export.pictures import colour_picture, save_png
from triptych.models.latents import latent_from_seed
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.photos.labelled_images import LabelledImages
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.evaluation.heads import (
    AlignedPhotos,
    HeadToInvert,
    UnseenAvatars,
    shifted_cameras,
)
from triptych.systems.invert.evaluation.methods import Answer, all_answers
from triptych.systems.invert.evaluation.report import (
    figures_by_method,
    inversion_report,
    save_inversion_plot,
    save_inversion_sheet,
    step_figures,
)
from triptych.systems.invert.evaluation.scores import HeadScores, score_answers
from triptych.systems.invert.target import target_of

METHODS = [
    "mean latent",
    "pSp",
    "3DpSp, 1 step",
    "3DpSp, 2 steps",
    "3DpSp + W+",
    "3DpSp + W+ + PTI",
    "direct optimisation",
    "true latent",
]


class OwnHeads:
    """The toy generator's heads, as if they had been rendered."""

    def __init__(self, generator):
        self._generator = generator

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        assert style is None
        latent = latent_from_seed(seed, self._generator.config.z_dim, "attributes")
        with torch.no_grad():
            shown = self._generator.synthesis(self._generator.mapping(latent), camera)
        regions = torch.zeros(len(camera), size, size, dtype=torch.long)
        return TrueViews(shown.image, shown.alpha, regions)


@pytest.fixture(scope="module")
def generator():
    return make_generator()


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = FeatureNetworkConfig(("original",), 4, channels=(2, 2, 2, 2, 3))
        return AvatarFeatures(config).eval()


@pytest.fixture(scope="module")
def scores(generator, network):
    pipeline = toy_pipeline(generator)
    codes = dataclasses.replace(SETTINGS.codes, steps=4)
    tuning = dataclasses.replace(SETTINGS.tuning, steps=2)
    settings = dataclasses.replace(SETTINGS, steps=2, codes=codes, tuning=tuning)
    heads = UnseenAvatars(OwnHeads(generator), generator, 5, 2)
    found = []
    for index in range(2):
        head = heads[index]
        answers = all_answers(pipeline, None, head.target, settings, 3, head.latent)
        found.append(score_answers(head, answers, pipeline.networks, network, pictured=index == 0))
    return found


def test_every_method_is_measured_and_the_true_latent_is_perfect(scores):
    figures = figures_by_method(scores)
    assert list(figures) == METHODS
    true, refined, step = (figures[METHODS[i]] for i in (7, 4, 3))
    assert true["psnr"] > 60
    assert true["side_psnr"] > 60
    assert true["frechet"] == pytest.approx(0, abs=1e-4)
    assert true["nearer"] == 1.0
    assert refined["l2"] < step["l2"]
    assert figures["mean latent"]["seconds"] == 0
    assert 0 < step["seconds"] < refined["seconds"]
    assert step_figures(figures, "psnr") == [
        figures["3DpSp, 1 step"]["psnr"],
        figures["3DpSp, 2 steps"]["psnr"],
    ]


def test_the_report_is_json_and_says_what_psp_is(scores):
    report = inversion_report(
        scores, settings={}, models={}, networks={"identity": "blocks"}, baseline="a stand-in"
    )
    table = report.tables["By method"]
    assert [row[0] for row in table.rows] == METHODS
    assert "identity at +-25" in table.columns
    assert "pSp: a stand-in." in report.notes
    summary = report.summary
    assert summary["heads"] == 2
    assert summary["refinement lowers it further"] in ("yes", "no")
    below = summary["psnr of the true latent"] - summary["psnr of the last step"]
    assert summary["psnr of the last step below it"] == pytest.approx(below)
    assert json.loads(json.dumps(report.details))["heads"].keys() == {"00005", "00006"}


def test_fid_is_reported_where_its_features_were_measured(scores):
    given = {"settings": {}, "models": {}, "networks": {}, "baseline": "x"}
    without = inversion_report(scores, **given)
    assert "FID (Inception)" not in without.tables["By method"].columns
    assert all(row["fid"] is None for row in figures_by_method(scores).values())
    assert any("6726825d.pth is not in" in note for note in without.notes)
    # Features of all methods: those of the truth, each method's shifted by 3 and 4 times its place.
    steps = torch.arange(len(METHODS) + 1.0)[:, None, None]
    shift = torch.cat([3 * steps, 4 * steps], dim=2)
    spread = torch.randn(2, 1, 3, 2, generator=torch.Generator().manual_seed(0))
    measured = [
        dataclasses.replace(score, inception=shift + own)
        for score, own in zip(scores, spread, strict=True)
    ]
    report = inversion_report(measured, **given, inception="a network")
    place = report.tables["By method"].columns.index("FID (Inception)")
    shown = {row[0]: row[place] for row in report.tables["By method"].rows}
    in_order = list(scores[0].rows)
    assert shown == {
        method: pytest.approx(25 * count**2, rel=1e-5)
        for count, method in enumerate(in_order, start=1)
    }
    assert any(
        "pooled features of a network. It is over 6 pictures" in note for note in report.notes
    )


def test_inceptions_features_are_kept_truth_first(generator, network, tmp_path):
    inception = narrow_network()
    head = UnseenAvatars(OwnHeads(generator), generator, 5, 2)[0]
    answer = Answer(
        "own", TriPlanePortrait.from_generator(generator, generator.mapping(head.latent)), 0.0
    )
    networks = toy_pipeline(generator).networks
    score = score_answers(head, [answer], networks, network, pictured=False, inception=inception)
    assert score.inception.shape == (2, 3, 128)
    with torch.no_grad():
        true = inception(torch.cat([head.target.image, head.true]))
    assert torch.equal(score.inception[0], true)
    torch.testing.assert_close(score.inception[1], true, rtol=1e-3, atol=1e-3)
    score.save(tmp_path / "head.safetensors", "plan")
    again = HeadScores.load(tmp_path / "head.safetensors", "plan")
    assert torch.equal(again.inception, score.inception)


def test_scores_survive_their_file_for_the_same_plan_only(scores, tmp_path):
    for score, pictures in zip(scores, (True, False), strict=True):
        score.save(tmp_path / "head.safetensors", "this plan")
        again = HeadScores.load(tmp_path / "head.safetensors", "this plan")
        assert again is not None
        assert again.rows == score.rows
        assert list(again.rows) == list(score.rows)  # features are in this order
        assert torch.equal(again.features, score.features)
        assert (again.pictures is not None) == pictures
        if again.pictures is not None:
            assert float((again.pictures - score.pictures.clamp(-1, 1)).abs().max()) < 0.01
    assert HeadScores.load(tmp_path / "head.safetensors", "another") is None
    assert HeadScores.load(tmp_path / "absent.safetensors", "this plan") is None


def test_plot_and_sheet_are_pictures(scores, tmp_path):
    pytest.importorskip("matplotlib")
    save_inversion_plot(tmp_path / "plot.png", figures_by_method(scores))
    save_inversion_sheet(tmp_path / "sheet.png", scores)
    with Image.open(tmp_path / "plot.png") as plot, Image.open(tmp_path / "sheet.png") as sheet:
        assert plot.width > 800
        assert sheet.width == 4 + 9 * (SIZE + 4)


def test_photos_have_no_other_sides(generator, network, tmp_path):
    label = [float(number) for number in CAMERA.label25()[0]]
    for name, seed in (("a.png", 1), ("b.png", 2)):
        save_png(tmp_path / name, colour_picture(head_of(generator, seed=seed)[0]))
    labels = {"labels": [["a.png", label], ["b.png", label]]}
    (tmp_path / "dataset.json").write_text(json.dumps(labels))
    photos = AlignedPhotos(LabelledImages(tmp_path), SIZE)
    pipeline = toy_pipeline(generator)
    settings = dataclasses.replace(
        SETTINGS,
        steps=1,
        codes=dataclasses.replace(SETTINGS.codes, steps=1),
        tuning=dataclasses.replace(SETTINGS.tuning, steps=1),
    )
    scores = []
    for index in range(2):
        answers = all_answers(pipeline, None, photos[index].target, settings, 0)
        scores.append(
            score_answers(photos[index], answers, pipeline.networks, network, pictured=False)
        )
    report = inversion_report(scores, settings={}, models={}, networks={}, baseline="x")
    assert "identity at +-25" not in report.tables["By method"].columns
    assert [row[0] for row in report.tables["By method"].rows] == [*METHODS[:3], *METHODS[4:6]]
    with pytest.raises(UserError, match="two photos"):
        AlignedPhotos(LabelledImages(tmp_path), SIZE, 1)


def test_a_trained_baseline_is_told_the_true_camera(generator):
    pipeline, target = toy_pipeline(generator), target_of(head_of(generator), CAMERA, SIZE)
    settings = dataclasses.replace(SETTINGS, steps=1)
    rows = []
    for baseline in (None, toy_encoder(generator)):
        answers = all_answers(pipeline, baseline, target, settings, 0)
        first = next(answer for answer in answers if answer.method == "pSp")
        rows.append(first.portrait.ws)
    assert not torch.equal(*rows)


def test_sides_are_known_and_told_from_another_head(network, generator):
    networks = toy_pipeline(generator).networks
    red, green = (
        torch.tensor(colour).view(1, 3, 1, 1).expand(2, 3, SIZE, SIZE)
        for colour in ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1))
    )
    cameras = shifted_cameras(CAMERA)
    assert torch.allclose(cameras.yaw - CAMERA.yaw, torch.tensor([-1, 1]) * math.radians(25))
    assert torch.allclose(cameras.pitch, CAMERA.pitch.expand(2), atol=1e-5)

    class _Painted:
        def render(self, camera):
            return type("View", (), {"image": red[:1].expand(len(camera), -1, -1, -1)})

    answer = type("Answer", (), {"method": "red", "portrait": _Painted(), "seconds": 1.0})
    target = target_of(red[:1], CAMERA, SIZE)
    for true, other, expected in ((red, green, 1.0), (green, red, 0.0)):
        head = HeadToInvert("x", target, cameras, true, other)
        row = score_answers(head, [answer], networks, network, pictured=False).rows["red"]
        assert row["nearer"] == expected
        assert row["identity"] == pytest.approx(1.0)
    assert row["side_identity"] == pytest.approx(
        float(np.dot([0.8, 0.1, 0.1], [0.1, 0.8, 0.1]) / 0.66), abs=1e-5
    )


def test_seeds_that_were_trained_on_are_refused(generator):
    for first, count in ((9_999, 2), (0, 1), (-1, 3)):
        with pytest.raises(UserError, match="expected 2 or more of the seeds 0 to 9999"):
            UnseenAvatars(OwnHeads(generator), generator, first, count)


def test_an_avatar_is_seen_from_the_side_of_its_seed(generator):
    heads = UnseenAvatars(OwnHeads(generator), generator, 3, 2)
    first = heads[0]
    assert first.name == "00003"
    assert abs(float(first.target.camera.yaw)) <= 0.45 + 1e-5
    assert first.true.shape == (2, 3, SIZE, SIZE)
    assert torch.equal(first.other, OwnHeads(generator).views(4, None, first.shifted, SIZE).image)
    assert not torch.equal(first.target.camera.cam2world, look_at_camera(0.0, 0.0).cam2world)
