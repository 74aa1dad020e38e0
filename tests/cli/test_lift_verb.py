"""`triptych lift`: folders that go on and list what is bad, and crops that come with cameras."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from toy_lift import CAMERA, picture, toy_pipeline

from triptych.export.pictures import colour_picture, save_png
from triptych.portrait import Portrait
from triptych.systems.lift.job import LiftJob
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.systems.lift.results import save_likeness

RESULTS = [
    "aligned.png",
    "confidence.png",
    "mesh.glb",
    "portrait.safetensors",
    "run.json",
    "sheet.png",
    "turntable.mp4",
]
QUICK = (
    "--set",
    "trials=none",
    "grid=24",
    "plane_sizes=[16]",
    "plane_rates=[1.0]",
    "image_size=32",
    'space={"steps":2,"surface_points":200,"photo_points":100,"density_points":120}',
    'rays={"steps":2,"rays":48,"front_views":1,"side_views":1,"size":16,"density_points":60}',
)


@pytest.fixture
def searches(quick_results, monkeypatch) -> list[object]:
    """Use the toy pipeline, write small videos and meshes, and note each search for an avatar."""
    made: list[object] = []

    def pipeline(_: LiftJob) -> LiftPipeline:
        toy = toy_pipeline()
        search = toy._find_avatar

        def noted(*arguments):
            made.append(arguments)
            return search(*arguments)

        toy._find_avatar = noted
        return toy

    monkeypatch.setattr(LiftJob, "pipeline", pipeline)
    return made


def write_crop(folder: Path, name: str, seed: int = 1) -> None:
    """Write a crop with its camera, as `triptych align` does."""
    folder.mkdir(exist_ok=True)
    save_png(folder / f"{name}.png", colour_picture(picture(seed)[0]))
    label = [float(number) for number in CAMERA.label25()[0]]
    (folder / f"{name}.json").write_text(json.dumps({"camera": label, "model": "avatar"}))


@pytest.mark.thorough
def test_a_folder_goes_on_and_lists_what_is_bad(run, searches, tmp_path, monkeypatch):
    write_crop(tmp_path / "photos", "a", 1)
    write_crop(tmp_path / "photos", "b", 2)
    (tmp_path / "photos" / "text.jpg").write_text("no picture")
    words = ("lift", tmp_path / "photos", "--out", "family", *QUICK)
    family = tmp_path / "family"

    def stopped(lifted, folder, progress):
        if len(searches) == 2:
            raise KeyboardInterrupt
        return save_likeness(lifted, folder, progress)

    with monkeypatch.context() as patch:
        patch.setattr("triptych.systems.lift.job.save_likeness", stopped)
        assert run(*words).code == 130
    assert sorted(os.listdir(family / "a")) == RESULTS
    before = (family / "a" / "portrait.safetensors").stat().st_mtime_ns

    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert len(searches) == 2, "what was found of b before the stop is not used"
    assert "2 of 3 photos lifted" in outcome.err
    assert (family / "a" / "portrait.safetensors").stat().st_mtime_ns == before
    assert sorted(os.listdir(family / "b")) == RESULTS
    assert Portrait.load(family / "b" / "portrait.safetensors").planes.shape[-1] == 16
    assert sorted(os.listdir(family)) == [
        "a",
        "b",
        "plan.json",
        "report.json",
        "report.md",
        "sheet.png",
    ]
    report = json.loads((family / "report.json").read_text())
    assert report["lifted"] == 2
    assert report["photos"]["b.png"]["psnr"] > 0
    assert "not a picture" in report["photos"]["text.jpg"]["reason"]
    table = (family / "report.md").read_text().splitlines()
    assert table[0] == "| photo | PSNR | overlap | seen | seconds | remarks |"
    assert table[-1].startswith("| text.jpg | - | - | - | - | not lifted:")
