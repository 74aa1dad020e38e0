"""`triptych stylize` around its pipeline: files, resuming, stopping, refusing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from triptych.camera import Camera, frontal_camera, grid_of_views
from triptych.editors.image_editor import EditRequest
from triptych.errors import UserError
from triptych.metrics.style_classifier import AvatarStyleClassifier
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.portrait import Portrait
from triptych.systems.stylize import results as stylize_results
from triptych.systems.stylize.job import StylizeJob
from triptych.systems.stylize.pipeline import Stylized
from triptych.systems.stylize.views import EditedViews, OriginalViews
from triptych.systems.stylize.work_folder import RESUME_FOLDER, VIEWS_FOLDER

SIDE = 32
COMMAND = ("stylize", "a wizard", "--out", "wizard", "--identity", "7")
RESULTS = ["mesh.glb", "portrait.safetensors", "run.json", "turntable.mp4", "views", "views.png"]


STYLES = ("original", "bronze", "wizard", "zombie")


def toy_judge() -> AvatarFeatures:
    """Return an untrained network that tells four styles apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AvatarFeatures(
            FeatureNetworkConfig(STYLES, attribute_dim=2, channels=(2, 2, 4, 4, 4), identity_dim=2)
        )


class Editor:
    """Knows one word."""

    def check(self, request: EditRequest) -> None:
        """Take every request."""

    def notes_for(self, request: EditRequest) -> list[str]:
        return [f"unknown words: {request.prompt}"]


class Pipeline:
    """Returns the ball after it has written a view; fails if told to."""

    editor, image_to_triplane = Editor(), object()

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self.failure: BaseException | None = None
        self.fails_at_once = False
        self.calls: list[dict] = []
        self.found: list[str] = []

    def __call__(self, edit: EditRequest, *, work_dir: Path, progress, **options) -> Stylized:
        self.calls.append({"edit": edit, **options})
        if self.fails_at_once:
            raise self.failure
        self.found = sorted(os.listdir(work_dir))
        (work_dir / VIEWS_FOLDER).mkdir(exist_ok=True)
        (work_dir / RESUME_FOLDER).mkdir(exist_ok=True)
        (work_dir / VIEWS_FOLDER / "view_000.png").write_bytes(b"picture")
        (work_dir / RESUME_FOLDER / "checkpoint").write_bytes(b"state")
        progress("editing views", 1, 1)
        if self.failure is not None:
            raise self.failure
        report = {"prompt": edit.prompt, "seconds": {"editing": 1.0}, "dropped_views": [2]}
        return Stylized(self.portrait, self.portrait, edited_views(), report)


def edited_views() -> EditedViews:
    """Return 1 + 9 grey views, of which one was dropped; view i has the value i / 20."""
    cameras = Camera.stack([frontal_camera(), grid_of_views(3, 3)])
    grey = (torch.arange(10.0) / 20).reshape(10, 1, 1, 1).expand(10, 3, SIDE, SIDE)
    flat = torch.ones(10, 1, SIDE, SIDE)
    kept = torch.arange(10) != 2
    return EditedViews(OriginalViews(cameras, grey, flat, flat), grey, torch.ones(10), kept)


@pytest.fixture
def pipeline(ball, monkeypatch, quick_results) -> Pipeline:
    stub = Pipeline(ball)
    monkeypatch.setattr(StylizeJob, "pipeline", lambda self: stub)
    monkeypatch.setattr(StylizeJob, "_models", lambda self: [])
    judge = AvatarStyleClassifier(toy_judge())
    monkeypatch.setattr(AvatarStyleClassifier, "from_pretrained", lambda: judge)
    return stub


def test_everything_is_left_in_the_folder(run, pipeline, tmp_path):
    outcome = run(*COMMAND, "--quality", "draft", "--seed", "5", "--yaw-range-deg", "20")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "wizard\n"
    assert "warning: unknown words: a wizard" in outcome.err
    folder = tmp_path / "wizard"
    assert sorted(os.listdir(folder)) == RESULTS
    assert Portrait.load(folder / "portrait.safetensors").image_size == 64
    mesh = trimesh.load(folder / "mesh.glb", force="mesh", skip_materials=True)
    assert mesh.is_watertight
    assert (folder / "turntable.mp4").stat().st_size > 500
    assert os.listdir(folder / "views") == ["view_000.png"]
    record = json.loads((folder / "run.json").read_text())
    assert record["prompt"] == "a wizard"
    assert record["dropped_views"] == [2]
    assert {"editing", "sheet", "turntable", "mesh"} <= record["seconds"].keys()
    assert record["plan"]["identity"] == "7"
    scores = record["scores"]["likeliest_styles"]
    assert scores.keys() <= set(STYLES)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert len(scores) == 3
    call = pipeline.calls[0]
    assert call["identity"] == 7
    assert call["edit"] == EditRequest("a wizard", 5)
    assert call["settings"].num_yaw == 5
    assert call["settings"].yaw_range == pytest.approx(np.pi / 9)


@pytest.mark.thorough
def test_the_sheet_shows_kept_views_nearest_to_its_angles(pipeline):
    views = edited_views()
    stylized = Stylized(pipeline.portrait, pipeline.portrait, views, {"prompt": "a wizard"})
    sheet = stylize_results.views_sheet(stylized)
    side = pipeline.portrait.picture_size
    assert sheet.shape[1] == 4 + 5 * (side + 4)
    font = side // 10
    top = 4 + 2 * (font + 8 + 4) + side
    row = sheet[top + side // 2, 4 + side // 2 :: side + 4, 0]
    # yaw -1, -.5, 0, .5, 1 and pitch 0, .5, 0, -.5, 0 of the range, on a 3 x 3 grid behind the
    # front: the view below the front (index 2) was dropped
    shown = ((row.astype(float) / 127.5 - 1) * 20).round().astype(int).tolist()
    assert shown[0] == 4
    assert shown[2] in (0, 5)
    assert shown[4] == 6
    assert 2 not in shown


def test_a_stopped_run_says_so_and_goes_on(run, pipeline, tmp_path):
    pipeline.failure = KeyboardInterrupt()
    stopped = run(*COMMAND)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1].startswith("triptych: stopped; the same command goes on")
    assert "Traceback" not in stopped.err
    assert [name for name in os.listdir(tmp_path / "wizard") if not name.startswith(".")] == []

    pipeline.failure = None
    resumed = run(*COMMAND)
    assert resumed.code == 0, resumed.err
    assert "going on with the run that was stopped" in resumed.err
    assert pipeline.found == [RESUME_FOLDER, VIEWS_FOLDER]
    assert sorted(os.listdir(tmp_path / "wizard")) == RESULTS

    done = run(*COMMAND)
    assert done.code == 0
    assert "nothing to do" in done.err
    assert len(pipeline.calls) == 2


@pytest.mark.thorough
def test_another_prompt_needs_overwrite_and_replaces_all(run, pipeline, tmp_path):
    run(*COMMAND)
    other = ("stylize", "a zombie", "--out", "wizard", "--identity", "7")
    refused = run(*other)
    assert refused.code == 2
    assert "--overwrite" in refused.complaint
    assert json.loads((tmp_path / "wizard/run.json").read_text())["prompt"] == "a wizard"
    assert run(*other, "--overwrite").code == 0
    assert json.loads((tmp_path / "wizard/run.json").read_text())["prompt"] == "a zombie"
    assert sorted(os.listdir(tmp_path / "wizard")) == RESULTS


def test_a_failed_overwrite_leaves_the_earlier_results(run, pipeline, tmp_path):
    run(*COMMAND)
    before = (tmp_path / "wizard/portrait.safetensors").read_bytes()
    pipeline.failure = RuntimeError("broken")
    failed = run("stylize", "a zombie", "--out", "wizard", "--overwrite")
    assert failed.code == 1
    assert "RuntimeError: broken" in failed.err
    assert (tmp_path / "wizard/portrait.safetensors").read_bytes() == before
    assert json.loads((tmp_path / "wizard/run.json").read_text())["prompt"] == "a wizard"


def test_a_mistake_found_late_leaves_no_folder(run, pipeline, tmp_path):
    pipeline.failure, pipeline.fails_at_once = UserError("the prompt is odd; say it simply"), True
    outcome = run(*COMMAND)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == "triptych: the prompt is odd; say it simply"
    assert os.listdir(tmp_path) == []


@pytest.mark.thorough
def test_a_portrait_can_be_the_head(run, pipeline, portrait_file):
    assert run("stylize", "a wizard", "--out", "x", "--identity", portrait_file).code == 0
    assert isinstance(pipeline.calls[0]["identity"], Portrait)


@pytest.mark.thorough
def test_another_portrait_under_the_same_name_is_another_run(run, pipeline, ball, tmp_path):
    ball.save(tmp_path / "me.safetensors")
    words = ("stylize", "a wizard", "--out", "x", "--identity", "me.safetensors")
    assert run(*words).code == 0
    assert "nothing to do" in run(*words).err
    ball.save(tmp_path / "me.safetensors", exact=True)
    assert "--overwrite" in run(*words).complaint


def test_the_sheet_on_disk_is_a_picture(run, pipeline, tmp_path):
    run(*COMMAND)
    side = pipeline.portrait.picture_size
    assert Image.open(tmp_path / "wizard/views.png").size[0] == 4 + 5 * (side + 4)
