"""`triptych evaluate inversion` reports FID where its network's file is there, and only there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from narrow_inception import use_narrow_inception, write_narrow_file
from toy_inversion import CAMERA, SETTINGS, head_of, toy_pipeline
from toy_portraits import tiny_generator

from triptych.cli.evaluate_inversion import Inversion
from triptych.export.pictures import colour_picture, save_png
from triptych.files import sha256_of
from triptych.metrics.frechet import INCEPTION_FILE
from triptych.systems.invert.evaluation import methods as inversion_methods
from triptych.systems.invert.evaluation.job import InversionEvaluation

COLUMN = "FID (Inception)"


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that evaluates two photos and returns the report and the heads measured."""
    generator = tiny_generator()
    photos, label = tmp_path / "photos", [float(number) for number in CAMERA.label25()[0]]
    photos.mkdir()
    for name, seed in (("a.png", 1), ("b.png", 2)):
        save_png(photos / name, colour_picture(head_of(generator, seed=seed)[0]))
    labels = {"labels": [["a.png", label], ["b.png", label]]}
    (photos / "dataset.json").write_text(json.dumps(labels))
    settings = dataclasses.replace(
        SETTINGS,
        steps=1,
        codes=dataclasses.replace(SETTINGS.codes, steps=1),
        tuning=dataclasses.replace(SETTINGS.tuning, steps=1),
    )
    measured: list[Any] = []
    all_answers = inversion_methods.all_answers

    def counted(pipeline: Any, baseline: Any, target: Any, *rest: Any) -> Any:
        measured.append(target)
        return all_answers(pipeline, baseline, target, *rest)

    monkeypatch.setattr(inversion_methods, "all_answers", counted)
    monkeypatch.setattr(Inversion, "_settings", lambda self: settings)
    monkeypatch.setattr(InversionEvaluation, "load_pipeline", lambda *_: toy_pipeline(generator))
    monkeypatch.setattr(InversionEvaluation, "hashes", lambda _: {"toy": "0" * 64})
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    use_narrow_inception(monkeypatch)
    out = tmp_path / "out"

    def run() -> tuple[dict[str, Any], int]:
        measured.clear()
        Inversion(out, photos=photos, encoder="toy", direct_steps=0, overwrite=True).run()
        return json.loads((out / "inversion.json").read_text()), len(measured)

    return run


@pytest.mark.thorough
def test_fid_is_reported_where_its_file_is(evaluate: Any, tmp_path: Path) -> None:
    without, measured = evaluate()
    assert measured == 2
    rows = without["tables"]["By method"]
    assert all(COLUMN not in row for row in rows)
    assert INCEPTION_FILE not in without["models"]
    assert any(f"{INCEPTION_FILE} is not in" in note for note in without["notes"])

    file = write_narrow_file(tmp_path / "cache" / "networks")
    found, measured = evaluate()
    assert measured == 2, "heads measured without the file lack its features"
    rows = found["tables"]["By method"]
    assert all(row[COLUMN] > 0 for row in rows)
    assert found["models"][INCEPTION_FILE] == sha256_of(file)
    (note,) = (note for note in found["notes"] if note.startswith(COLUMN))
    assert "not the published file" in note
    assert "over 2 pictures" in note
    assert COLUMN in (tmp_path / "out" / "inversion.md").read_text()

    again, measured = evaluate()
    assert measured == 0, "the same file's features are in the heads' files"
    assert again["tables"] == found["tables"]

    write_narrow_file(tmp_path / "cache" / "networks", seed=1)
    _, measured = evaluate()
    assert measured == 2, "another file has other features"
