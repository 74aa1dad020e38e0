"""`triptych evaluate`: mistakes are found before any long work, reports reach their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.cli.main import main

PROTOCOLS = ("prior", "editor", "stylize", "ablation", "inversion", "lift")


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
        (["lift", "--count", "0"], "nothing to lift"),
        (["lift", "--yaws-deg", "50"], "--yaws-deg: got 50"),
        (["lift", "--likenesses", "nobody.safetensors"], "there is no file nobody"),
    ],
)
def test_mistakes_are_named_before_any_work(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words, "--out", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("encoder", "given", "used"),
    [
        ("avatar-psp", None, "avatar-psp-baseline"),
        ("own.safetensors", None, None),
        ("own.safetensors", "mine.safetensors", "mine.safetensors"),
    ],
)
def test_the_embedded_baseline_stands_beside_the_embedded_encoder(encoder, given, used):
    from triptych.systems.invert.loading import baseline_for

    assert baseline_for(encoder, given) == used
