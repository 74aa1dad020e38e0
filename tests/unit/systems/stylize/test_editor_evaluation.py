"""The editor's protocol with an editor that paints known colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import Camera
from triptych.editors.image_editor import EditorConfig, EditRequest
from triptych.errors import UserError
from triptych.metrics.metric_networks import StyleNetworks
from triptych.systems.stylize.editor_evaluation import (
    EditorFindings,
    measure_editor,
    num_edits,
)
from triptych.systems.stylize.editor_evaluation_groups import EditorSettings

SIZE = 16
COLOURS = {"red": (0.8, 0.0, 0.0), "blue": (0.0, 0.0, 0.8)}
KINDS = {"red": "material", "blue": "creature"}


def _plain(colour: tuple[float, ...], count: int = 1, size: int = SIZE) -> Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1).repeat(count, 1, size, size)


class _Heads:
    """Heads that differ in the brightness of their green corner; a style colours the rest."""

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        image = _plain(COLOURS[style] if style else (0.0, 0.0, 0.0), size=size)
        image[:, 1, 0, 0] = 0.1 * seed
        return TrueViews(image, torch.ones(1, 1, size, size), torch.ones(1, size, size).long())


class _Editor:
    """Adds red for every phrase, 0.1 too little of it."""

    config = EditorConfig(image_size=SIZE)

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def edit(self, images: Tensor, request: EditRequest) -> Tensor:
        self.asked.append((request.prompt, len(images)))
        return images + _plain((0.7, 0.0, 0.0))


class _Corner:
    """Knows a head by its green corner."""

    def embed(self, image: Tensor) -> Tensor:
        angle = image[:, 1, 0, 0]
        return torch.stack([angle.cos(), angle.sin()], dim=1)


class _RedOrBlue:
    names = ("red", "blue")

    def probabilities(self, image: Tensor) -> Tensor:
        return image[:, [0, 2], 4, 4].softmax(dim=1)


class _NoDistance:
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.zeros(len(first))


def _measure(
    editor: _Editor, settings: EditorSettings, folder: Path | None = None
) -> EditorFindings:
    def phrase(style: str, rng: np.random.Generator) -> str:
        return f"a {style} statue"

    networks = StyleNetworks(_RedOrBlue(), _Corner(), _NoDistance())
    return measure_editor(editor, _Heads(), networks, KINDS, phrase, settings, folder=folder)


def test_figures_of_known_edits() -> None:
    editor = _Editor()
    report = _measure(editor, EditorSettings(heads=4, heads_per_group=2, pictured=1)).report
    assert editor.asked == [("a red statue", 2), ("a blue statue", 2)] * 2
    rows = {
        row[0]: dict(zip(report.tables["By style"].columns, row, strict=True))
        for row in report.tables["By style"].rows
    }
    # Red is 0.1 off in one of three channels: 4 / (0.01 / 3).
    red = 10 * np.log10(4 * 3 / 0.01)
    assert rows["red"]["psnr"] == pytest.approx(red, abs=1e-3)
    assert rows["red"]["source psnr"] == pytest.approx(10 * np.log10(4 * 3 / 0.64), abs=1e-3)
    assert (rows["red"]["recognised"], rows["blue"]["recognised"]) == (1.0, 0.0)
    assert rows["blue"]["truth recognised"] == 1.0
    assert report.summary["psnr over material styles"] == pytest.approx(red, abs=1e-3)
    assert report.summary["style recognised"] == 0.5
    assert report.summary["identity nearer to the source"] == 1.0
    assert report.summary["identity nearer in the true renders"] == 1.0
    assert report.summary["edits"] == 8


def test_groups_take_styles_in_turn() -> None:
    styles = ("a", "b", "c")
    in_turn = EditorSettings(styles_per_head=2)
    assert in_turn.styles_of_group(styles, 0) == ("a", "b")
    assert in_turn.styles_of_group(styles, 1) == ("c", "a")
    assert EditorSettings().styles_of_group(styles, 5) == styles
    assert EditorSettings(styles_per_head=9).styles_of_group(styles, 1) == styles


def test_a_single_last_head_joins_the_group_before() -> None:
    editor = _Editor()
    settings = EditorSettings(heads=5, heads_per_group=2, styles_per_head=1)
    _measure(editor, settings)
    assert [count for _, count in editor.asked] == [2, 3]
    assert len(editor.asked) == num_edits(settings, len(KINDS))


def test_one_head_is_too_few() -> None:
    with pytest.raises(UserError, match="2 or more"):
        EditorSettings(heads=1)


def test_a_cut_measurement_goes_on(tmp_path: Path) -> None:
    settings = EditorSettings(heads=6, heads_per_group=2, pictured=1)
    whole = _measure(_Editor(), settings)
    _measure(_Editor(), replace(settings, heads=4), tmp_path)
    resumed = _Editor()
    findings = _measure(resumed, settings, tmp_path)
    assert len(resumed.asked) == len(KINDS)
    assert findings.report.tables == whole.report.tables
    assert findings.report.summary == whole.report.summary
    assert [row[0] for row in findings.pictures] == ["red", "blue"]
    for kept, pred in zip(findings.pictures, whole.pictures, strict=True):
        # Pictures are kept in 8 bits.
        torch.testing.assert_close(kept[1:], pred[1:], atol=0.51 / 127.5, rtol=0)


def test_groups_without_a_picture_are_measured_anew_for_the_sheet(tmp_path: Path) -> None:
    settings = EditorSettings(heads=2, heads_per_group=2, pictured=0)
    _measure(_Editor(), settings, tmp_path)
    again = _Editor()
    assert _measure(again, replace(settings, pictured=1), tmp_path).pictures
    assert len(again.asked) == len(KINDS)


def test_groups_of_other_settings_are_not_taken(tmp_path: Path) -> None:
    settings = EditorSettings(heads=2)
    _measure(_Editor(), settings, tmp_path)
    with pytest.raises(UserError, match="other models or settings"):
        _measure(_Editor(), replace(settings, text_guidance=2.0), tmp_path)
