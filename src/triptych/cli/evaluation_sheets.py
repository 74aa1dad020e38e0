"""Sheets beside reports: pictures by which a person can check the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from triptych.systems.invert.evaluation.scores import HeadScores
    from triptych.systems.stylize.ablation import AblationScore
    from triptych.systems.stylize.evaluation import Verdict

MOST_ROWS = 80
"""Rows beyond it are not on a sheet."""


def save_rows(
    path: Path,
    rows: Sequence[Sequence[Tensor]],
    labels: Sequence[str],
    columns: Sequence[str] | None = None,
) -> None:
    """Save rows of pictures [3, h, h] in [-1, 1]; nothing when there are none."""
    from triptych.export.pictures import colour_picture, save_png
    from triptych.export.sheets import picture_sheet

    if not rows:
        return
    pictures = [[colour_picture(image) for image in row] for row in rows[:MOST_ROWS]]
    sheet = picture_sheet(pictures, row_labels=list(labels[:MOST_ROWS]), column_labels=columns)
    save_png(path, sheet)


def save_prior_sheet(path: Path, pairs: Sequence[Tensor], first_seed: int) -> None:
    """Save heads [2, v, 3, h, h]: in each row the renders, then the generator's pictures."""
    rows = [[*pair[0], *pair[1]] for pair in pairs]
    labels = [
        f"seed {first_seed + index}: {len(pair[0])} renders, then the generator's pictures"
        for index, pair in enumerate(pairs)
    ]
    save_rows(path, rows, labels)


def save_editor_sheet(path: Path, pictures: Sequence[tuple[str, Tensor, Tensor, Tensor]]) -> None:
    """Save triples of source, edit and truth, one row per style."""
    rows: dict[str, list[Tensor]] = {}
    for style, *triple in pictures:
        rows.setdefault(style, []).extend(triple)
    labels = [f"{style}: source, edit, truth" for style in rows]
    save_rows(path, list(rows.values()), labels)


def save_stylize_sheet(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Save a row per stylised head: before, the edited front, then the result from all angles."""
    labels = [
        f"{verdict.style}, head {verdict.identity}: {sum(verdict.recognised)} of "
        f"{len(verdict.recognised)} recognised; before, edited front, result"
        for verdict in verdicts
    ]
    save_rows(path, [list(verdict.pictures) for verdict in verdicts], labels)


def save_ablation_sheet(
    path: Path, fronts: Sequence[Sequence[Tensor]], scores: Sequence[AblationScore]
) -> None:
    """Save a row per head and style: the edited front, then each variant's front."""
    from triptych.systems.stylize.ablation import VARIANTS

    heads = dict.fromkeys((score.style, score.identity) for score in scores)
    labels = [f"{style}, head {identity}" for style, identity in heads]
    save_rows(path, fronts, labels, ("edited", *VARIANTS.values()))


def save_inversion_sheet(path: Path, scores: Sequence[HeadScores]) -> None:
    """Save a row per pictured head: the picture, then what every method made of it."""
    shown = [(score, score.pictures) for score in scores if score.pictures is not None]
    columns = ("picture", *shown[0][0].rows) if shown else None
    labels = [f"head {score.name}" for score, _ in shown]
    save_rows(path, [list(pictures) for _, pictures in shown], labels, columns)
