"""The evaluation of likenesses: its figures by hand, its rows, and going on where it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from toy_lift import SETTINGS, SIZE, DiscMatting, FixedLandmarks, picture, toy_pipeline

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.portrait import TriPlanePortrait
from triptych.runs.evaluation import MeasuredHead, MeasuredHeads
from triptych.systems.lift.evaluation.figures import (
    YAWS_DEG,
    LiftMetrics,
    figures_of,
    shape_difference,
)
from triptych.systems.lift.evaluation.heads import HeadToLift, axial_depth, unseen_avatars
from triptych.systems.lift.evaluation.job import LiftEvaluation, measure_lift
from triptych.systems.lift.evaluation.methods import photo_only
from triptych.systems.lift.photograph import Photograph
from triptych.training.plane_fitting import PlaneFitConfig


class Difference:
    """Perceptual distance and identity that can be worked out by hand."""

    def __call__(self, first, second):
        return (first - second).abs().mean(dim=(1, 2, 3))

    def embed(self, image):
        return torch.nn.functional.normalize(image.mean(dim=(2, 3)) + 2, dim=1)


class DiscHeads:
    """Heads that are a disc of one colour, 2.7 before the camera."""

    def __init__(self):
        self.seeds = []

    def views(self, seed, style, camera, size):
        self.seeds.append(seed)
        alpha = DiscMatting().head(torch.zeros(1, 3, size, size)).expand(len(camera), -1, -1, -1)
        image = torch.where(alpha > 0, torch.full_like(alpha, 0.2), torch.full_like(alpha, 0.5))
        regions = alpha[:, 0].long()
        return TrueViews(image.expand(-1, 3, -1, -1), alpha, regions, 2.7 * alpha[:, 0])


def toy_avatar(pipeline):
    generator = pipeline.generator
    return TriPlanePortrait.from_generator(generator, generator.mapping(generator.latent(1)))


class OneAvatar:
    """A method that takes everyone for the same avatar."""

    def __init__(self, pipeline):
        self._avatar = toy_avatar(pipeline)

    def plan(self):
        return {"seed": 1}

    def __call__(self, person, camera):
        assert person.shape == (1, 3, SIZE, SIZE)
        return {"rival": self._avatar}


METRICS = LiftMetrics(Difference(), Difference(), FixedLandmarks(), lambda pixels: [], size=32)


def test_landmarks_of_one_shape_differ_by_nothing():
    own = np.random.default_rng(0).normal(size=(20, 3))
    turn = math.radians(30)
    about = np.array(
        [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]
    )
    assert shape_difference(own @ about * 1.7 + 4, own) == pytest.approx(0, abs=1e-5)
    # A square whose two upper corners move apart and two lower ones together by 0.01: no
    # similarity helps, the rest is that far from each corner; the width is 2.
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]])
    moved = square + [[-0.01, 0, 0], [0.01, 0, 0], [0.01, 0, 0], [-0.01, 0, 0]]
    assert shape_difference(moved, square) == pytest.approx(0.5, rel=1e-2)


def test_distances_along_rays_become_depths():
    camera = look_at_camera(0.0, 0.0)
    depth = axial_depth(camera, torch.full((1, 32, 32), 2.7))
    corner = (16 - 0.5) / (4.2647 * 32)
    assert depth[0, 0, 0] == pytest.approx(2.7 / math.sqrt(1 + 2 * corner**2), rel=1e-6)
    assert depth.max() == pytest.approx(2.7, rel=1e-3)


def test_a_portrait_that_is_the_truth_has_no_error():
    portrait = toy_avatar(toy_pipeline())
    own_camera = look_at_camera(0.2, 0.0)

    def truth(camera, size):
        view = portrait.render(camera, size)
        alpha = (view.alpha > 0.9).float()
        depth = torch.where(alpha[:, 0] > 0, axial_depth(camera, view.depth[:, 0]), 0.0)
        return TrueViews(view.image.clamp(-1, 1), alpha, alpha[:, 0].long(), depth)

    head = HeadToLift("own", truth(own_camera, 32).image, own_camera, truth)
    figures = figures_of(portrait, head, np.ones((32, 32), bool), METRICS)
    assert figures["psnr"] > 80
    assert figures["identity at -60"] == pytest.approx(1, abs=1e-5)
    assert figures["perceptual at 60"] == pytest.approx(0, abs=1e-6)
    assert figures["landmarks at 30"] == 0
    assert math.isnan(figures["depth error"]) or figures["depth error"] < 1e-3


def test_planes_of_the_photo_alone_come_nearer_to_it():
    found = toy_avatar(toy_pipeline())
    photo = Photograph.measured(
        picture(), look_at_camera(0.1, 0.05), DiscMatting().head(picture()), FixedLandmarks()
    )
    config = PlaneFitConfig(steps=30, rays=300, learning_rate=0.2, empty=0.0)
    fitted = photo_only(found, photo, photo.person_over(0.5), config)

    def error(portrait):
        shown = portrait.render(photo.camera, SIZE).image
        return float(((shown - photo.image) * torch.from_numpy(photo.person)).square().mean())

    assert error(fitted) < 0.7 * error(found)


def test_every_method_has_a_column_and_measured_photos_are_kept(tmp_path):
    pipeline, heads, steps = toy_pipeline(), DiscHeads(), []
    quick = PlaneFitConfig(steps=2, rays=100)
    evaluation = LiftEvaluation(
        count=1, first_seed=3, yaws=(0.3,), settings=SETTINGS, photo_only=quick
    )

    findings = measure_lift(
        pipeline,
        METRICS,
        evaluation,
        heads,
        rival=OneAvatar(pipeline),
        folder=tmp_path / "heads",
        step=lambda *_: steps.append(1),
    )
    report = findings.report
    assert len(steps) == report.summary["known photos"] == evaluation.number == 1
    table = report.tables["Known heads, photographed from 17 degrees"]
    assert table.columns == (
        "figure",
        "rival",
        "avatar found",
        "photo-only planes",
        "lift without warp",
        "lift",
    )
    assert {"psnr", "identity at -30", "depth error", "landmarks at 0"} <= {
        row[0] for row in table.rows
    }
    assert [len(row) for row in findings.rows] == [11]
    again = DiscHeads()
    repeated = measure_lift(
        pipeline, METRICS, evaluation, again, rival=OneAvatar(pipeline), folder=tmp_path / "heads"
    ).report
    assert repeated.tables == report.tables
    assert len(again.seeds) == 1, "only the photos are taken again"


def test_the_lift_alone_is_measured_and_the_truth_is_rendered_once_per_view():
    heads = DiscHeads()
    evaluation = LiftEvaluation(count=1, yaws=(0.3,), settings=SETTINGS, alone=True)
    report = measure_lift(toy_pipeline(), METRICS, evaluation, heads).report
    table = report.tables["Known heads, photographed from 17 degrees"]
    assert table.columns == ("figure", "lift")
    assert len(heads.seeds) == 1 + len(YAWS_DEG), "the photo, and each side once"


def test_a_known_avatar_is_not_searched_again():
    pipeline = toy_pipeline()
    avatar, camera = toy_avatar(pipeline), look_at_camera(0.1, 0.0)
    lifted = pipeline.lift(picture(), camera, settings=SETTINGS, avatar=avatar)
    assert torch.equal(lifted.avatar.planes, avatar.planes)


def test_what_was_measured_by_another_plan_is_not_taken(tmp_path):
    head = MeasuredHead({"b": {"psnr": 1.0, "gone": math.nan}, "a": {"psnr": 2.0}})
    kept = MeasuredHeads(tmp_path, {"model": "1"})
    assert kept("one", lambda: head).rows["a"]["psnr"] == 2
    found = kept("one", lambda: pytest.fail("measured again"))
    assert list(found.rows) == ["b", "a"]
    assert math.isnan(found.rows["b"]["gone"])
    other = MeasuredHeads(tmp_path, {"model": "2"})
    assert other("one", lambda: MeasuredHead({"a": {"psnr": 5.0}})).rows == {"a": {"psnr": 5.0}}


def test_nothing_to_lift_is_refused():
    with pytest.raises(UserError, match="nothing to lift"):
        LiftEvaluation(count=0)
    with pytest.raises(UserError, match="got 2 from seed 9999"):
        unseen_avatars(DiscHeads(), 9_999, 2)
