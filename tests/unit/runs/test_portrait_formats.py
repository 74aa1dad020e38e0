"""Formats that share work."""

from __future__ import annotations

from functools import partial
from unittest import mock

import pytest
from two_balls import TwoBallsPortrait

from triptych.cli.export import Export
from triptych.export.splats import fitting
from triptych.runs.portrait_formats import FORMATS


@pytest.fixture
def fit(monkeypatch) -> mock.Mock:
    """Count fits of splats, which are coarse ones here."""
    counted = mock.Mock(wraps=partial(fitting.fit_splats, resolution=16, steps=0))
    monkeypatch.setattr(fitting, "fit_splats", counted)
    return counted


def test_page_and_splats_of_a_portrait_without_planes_share_one_fit(fit, tmp_path):
    balls = TwoBallsPortrait("sdf")
    made = [FORMATS[name].write(balls, tmp_path, lambda *_: None) for name in ("page", "splats")]
    assert fit.call_count == 1
    assert '"kind": "splats"' in made[0][0].read_text()
    assert [file.suffix for file in made[1]] == [".ply", ".glb"]


@pytest.mark.thorough
def test_so_do_the_options_of_export(fit, tmp_path, monkeypatch):
    TwoBallsPortrait("sdf").save(tmp_path / "balls.safetensors")
    monkeypatch.chdir(tmp_path)
    files = tmp_path / "balls.html", tmp_path / "balls.ply"
    Export(tmp_path / "balls.safetensors", html=files[0], splats=files[1]).run()
    assert fit.call_count == 1
    assert all(file.is_file() for file in files)
