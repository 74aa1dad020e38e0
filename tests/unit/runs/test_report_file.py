"""Reports: a JSON file and a Markdown page that say the same, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from triptych.errors import UserError
from triptych.runs.report_file import (
    Report,
    Table,
    command_line,
    mean,
    publish,
    report_folder,
    write_report,
)

REPORT = Report(
    name="prior",
    title="The avatar prior",
    summary={"psnr_db": 23.45678, "heads": 200},
    tables={"By part": Table(("part", "psnr_db"), (("face", 22.5), ("ear", None)))},
    settings={"count": 200},
    models={"avatar-generator": "ab" * 32},
    notes=("Light is fixed.",),
)


def test_both_files_hold_the_figures_and_their_origin(tmp_path: Path) -> None:
    json_path, markdown_path = write_report(REPORT, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prior.json", "prior.md"]
    data = json.loads(json_path.read_text())
    assert data["summary"] == {"psnr_db": 23.45678, "heads": 200}
    assert data["tables"]["By part"] == [
        {"part": "face", "psnr_db": 22.5},
        {"part": "ear", "psnr_db": None},
    ]
    assert data["models"] == {"avatar-generator": "ab" * 32}
    assert {"command", "date", "machine", "settings", "notes"} <= set(data)
    page = markdown_path.read_text()
    for line in ("# The avatar prior", "| psnr_db | 23.457 |", "| ear | - |", "- Light is fixed."):
        assert line in page
    assert "abababababab," not in page
    assert "avatar-generator abababababab" in page


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    bad = Report(name="bad", title="t", summary={}, details={"not JSON": object()})
    with pytest.raises(TypeError):
        write_report(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="cannot write"):
        write_report(REPORT, tmp_path / "absent")


def test_mean_leaves_out_what_is_not_a_number() -> None:
    assert mean([1.0, float("nan"), 3.0, float("inf")]) == 2.0
    assert mean([float("nan")]) is None


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/usr/bin/triptych", "evaluate", "prior"], "triptych evaluate prior"),
        (["/lib/triptych/__main__.py", "--out", "a b"], "python -m triptych --out 'a b'"),
    ],
)
def test_the_command_is_what_a_user_would_type_again(arguments, shown) -> None:
    assert command_line(arguments) == shown


def enter(folder: Path, name: str, *, overwrite: bool) -> None:
    with report_folder(folder, name, overwrite=overwrite):
        assert folder.is_dir()


def test_an_earlier_report_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    with report_folder(tmp_path / "new", "prior", overwrite=False):
        (tmp_path / "new" / "prior.json").write_text("{}")
    enter(tmp_path / "new", "editor", overwrite=False)
    enter(tmp_path / "new", "prior", overwrite=True)
    with pytest.raises(UserError, match="--overwrite"):
        enter(tmp_path / "new", "prior", overwrite=False)


def test_only_a_new_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    enter(tmp_path / "there", "prior", overwrite=False)
    enter(tmp_path / "new", "prior", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_one_evaluation_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    with (
        report_folder(tmp_path, "prior", overwrite=False),
        pytest.raises(UserError, match="another run is writing"),
    ):
        enter(tmp_path, "editor", overwrite=True)
    enter(tmp_path, "editor", overwrite=True)


def test_a_published_report_is_written_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(REPORT, tmp_path)
    assert json.loads((tmp_path / "prior.json").read_text())["summary"] == dict(REPORT.summary)
    shown = capsys.readouterr().out
    assert "23.457" in shown
    assert shown.splitlines()[-1] == str(tmp_path / "prior.json")
