"""`triptych evaluate`: mistakes are found before any long work, reports reach their folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from triptych.cli import evaluation_models
from triptych.cli.evaluation_sheets import save_editor_sheet, save_prior_sheet
from triptych.cli.main import main
from triptych.errors import UserError
from triptych.runs.report_file import Report

PROTOCOLS = ("prior", "editor", "stylize", "ablation", "inversion")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_earlier_report_is_not_overwritten(
    protocol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{protocol}.json").write_text("{}")
    assert main(["evaluate", protocol, "--out", str(tmp_path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / f"{protocol}.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["prior", "--count", "0"], "got 0 and 4"),
        (["editor", "--heads", "1"], "2 or more"),
        (["stylize", "--quality", "best"], "draft, standard, high"),
        (["stylize", "--set", "stepz=3"], "steps"),
        (["ablation", "--identities", "5-2"], "runs backwards"),
        (["inversion", "--heads", "1"], "--heads: got 1"),
        (["inversion", "--steps", "0"], "steps: got 0"),
        (["inversion", "--set", "mirrored=1"], "mirror"),
    ],
)
def test_mistakes_are_named_before_any_work(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words, "--out", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_styles_are_checked_against_the_judge() -> None:
    class _Judge:
        names = ("original", "bronze", "elf")

    assert evaluation_models.known_styles((), _Judge()) == ["bronze", "elf"]  # type: ignore[arg-type]
    assert evaluation_models.known_styles(["elf"], _Judge()) == ["elf"]  # type: ignore[arg-type]
    with pytest.raises(UserError, match="gold"):
        evaluation_models.known_styles(["gold"], _Judge())  # type: ignore[arg-type]


def test_prompts_and_folders_of_runs() -> None:
    assert evaluation_models.plain_prompt("bronze") == "a bronze statue"
    folder = evaluation_models.run_folder(Path("out"), "blue stone", 3)
    assert folder == Path("out/runs/blue-stone-00003")


def test_a_published_report_comes_with_its_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    report = Report(name="prior", title="t", summary={"psnr": 23.5, "heads": 2})
    pairs = [torch.zeros(2, 3, 3, 16, 16), torch.ones(2, 3, 3, 16, 16)]
    evaluation_models.publish(report, tmp_path, lambda path: save_prior_sheet(path, pairs, 0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prior.json", "prior.md", "prior.png"]
    assert json.loads((tmp_path / "prior.json").read_text())["summary"]["psnr"] == 23.5
    assert "23.500" in capsys.readouterr().out
    with Image.open(tmp_path / "prior.png") as sheet:
        assert sheet.width > 6 * 16


def test_the_editor_sheet_has_a_row_per_style(tmp_path: Path) -> None:
    from PIL import Image

    picture = torch.zeros(3, 16, 16)
    save_editor_sheet(tmp_path / "a.png", [("elf", picture, picture, picture)])
    twice = [(style, picture, picture, picture) for style in ("elf", "gold")]
    save_editor_sheet(tmp_path / "b.png", twice)
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as two:
        assert two.height > 1.5 * one.height
        assert two.width == one.width


@pytest.mark.parametrize(
    ("encoder", "given", "used"),
    [
        ("avatar-psp", None, "avatar-psp-baseline"),
        ("own.safetensors", None, None),
        ("own.safetensors", "mine.safetensors", "mine.safetensors"),
    ],
)
def test_the_embedded_baseline_stands_beside_the_embedded_encoder(encoder, given, used):
    from triptych.cli.evaluate_inversion import Inversion

    assert Inversion(Path("report"), encoder=encoder, psp_baseline=given).baseline == used
