"""`triptych evaluate adapt` in miniature: its figures, and that it goes on where it stopped."""

from __future__ import annotations

import json

import pytest
import torch
from toy_portraits import tiny_generator

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.metrics.metric_networks import load_style_networks
from triptych.photos.aligner import PhotoAligner
from triptych.systems.adapt.evaluation.figures import FIGURES, StyleFigures
from triptych.systems.adapt.evaluation.job import (
    MINUTES,
    AdaptEvaluation,
    measure_adapt,
    save_plot,
)
from triptych.systems.adapt.evaluation.methods import TUNED, UNSTYLED, Methods, heads_of
from triptych.systems.adapt.few_shot import FewShotSettings
from triptych.systems.adapt.pipeline import AdaptPipeline
from triptych.weights import load_features

QUICK = FewShotSettings(steps=1, heads=1, check_every=1, view_size=32)


class RedHeads:
    """Every head in every style is plain red."""

    def views(self, seed, style, camera, size):
        red = torch.tensor([0.9, -0.9, -0.9]).reshape(1, 3, 1, 1)
        alpha = torch.ones(len(camera), 1, size, size)
        regions = torch.ones(len(camera), size, size, dtype=torch.long)
        return TrueViews(red.expand(len(camera), 3, size, size).contiguous(), alpha, regions)


class Rival:
    """Knows the style by its name and leaves every head as it is."""

    name = "rival"
    asked: list[str] = []

    def plan(self):
        return {"version": 1}

    def __call__(self, style, seed):
        self.asked.append(style)
        return heads_of(tiny_generator())(seed)


@pytest.fixture(scope="module")
def networks():
    return load_style_networks()


@pytest.fixture(scope="module")
def methods(networks):
    features = load_features("avatar-features")
    pipeline = AdaptPipeline(
        tiny_generator(), features, networks.identity, PhotoAligner(), name="toy"
    )
    return Methods(pipeline, QUICK, (1, 2), None, Rival())


def test_heads_that_are_untouched_have_the_figures_of_untouched_heads(networks):
    heads = [heads_of(tiny_generator())(seed) for seed in range(2)]
    camera = look_at_camera(torch.tensor([-0.1, 0.1]), torch.zeros(2))
    figures = StyleFigures(networks, load_features("avatar-features"))
    unseen = RedHeads().views(0, "jade", look_at_camera(torch.zeros(2), torch.zeros(2)), 32).image
    row = figures("jade", heads, heads, unseen, camera)
    assert tuple(row) == FIGURES
    assert row["depth change, %"] == 0
    assert row["content distance"] == pytest.approx(0, abs=1e-6)
    assert row["identity kept, %"] == 100
    assert row["style distance"] > 0.1


@pytest.mark.slow
def test_a_stopped_evaluation_goes_on_and_reports_every_method(methods, networks, tmp_path):
    evaluation = AdaptEvaluation(("jade",), heads=2, counts=(1, 2), unseen=2, shown=1, size=32)
    found = measure_adapt(methods, networks, RedHeads(), evaluation, folder=tmp_path)
    table = found.report.tables["All styles"]
    assert [row[0] for row in table.rows] == list(methods.names)
    assert methods.names[0] == UNSTYLED
    assert TUNED in methods.names
    minutes = table.columns.index(MINUTES)
    assert {row[0] for row in table.rows if row[minutes] is None} == {"rival"}
    assert len(found.rows[0]) == len(found.columns) == 1 + 2 * len(methods.names)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(files) == len(methods.names)
    Rival.asked.clear()
    again = measure_adapt(methods, networks, RedHeads(), evaluation, folder=tmp_path)
    assert Rival.asked == []
    assert json.dumps(again.report.tables["All styles"].rows) == json.dumps(table.rows)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == files
    save_plot(tmp_path / "plot.png", table)
    assert (tmp_path / "plot.png").is_file()


def test_what_cannot_be_measured():
    for wrong, said in (
        ({"styles": ()}, "expected at least one of each"),
        ({"styles": ("jadde",)}, "jadde"),
        ({"styles": ("jade",), "heads": 1}, "heads: got 1"),
        ({"styles": ("jade",), "counts": (0,)}, "counts: got 0"),
    ):
        with pytest.raises(UserError, match=said):
            AdaptEvaluation(**wrong)
