"""The report of an evaluation of edits: means by method and by style, and its sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from triptych.config import to_dict
from triptych.runs.evaluation import Findings, MeasuredHead
from triptych.runs.report_file import Cell, Report, Table, mean
from triptych.systems.edit.evaluation.figures import MEASURES
from triptych.systems.edit.evaluation.methods import REFERENCE, WORDS
from triptych.systems.edit.evaluation.settings import EditEvaluation

BY_METHOD = "By method"
SEPARATOR = " | "
"""Between the method and the style in names of rows."""

_SHOWN = {"words": WORDS, "ref.": REFERENCE}
_SIDES = ("", " -30", " 30")
_NOTES = (
    "Named: share of pictures in which the classifier's first answer is the asked style, from the "
    "photo's camera, and at 30 degrees to both sides. Identity kept: share nearer to the photo "
    "than to another head's.",
    "psnr in dB and perceptual distance against the avatar truly in the style, from the photo's "
    "camera and at 30 degrees to both sides.",
    "Inconsistency: mean difference of a surface's colours between views 6 degrees apart, in % of "
    "the range; blurred pictures agree more easily.",
    "ms: CPU milliseconds of one process, of the edit of an aligned photo and of one view. The "
    "first edit and the first view include what is prepared once.",
    "'Adapted': edits learned from avatars truly in a style that is named under 'held out'.",
)


def findings_of(
    found: Sequence[tuple[str, MeasuredHead]], evaluation: EditEvaluation, hashes: dict[str, str]
) -> Findings:
    """Return the report and the sheet of heads by their names.

    Args:
        found: What was measured, figures by "METHOD | STYLE".
        evaluation: What was asked for.
        hashes: Of all networks.
    """
    held_out = set(evaluation.held_out)
    by_method = _table(found, lambda style: style not in held_out)
    tables = {BY_METHOD: by_method, "By style": _by_style(found)}
    if held_out:
        tables["Held out of training"] = _table(found, lambda style: style in held_out)
    summary: dict[str, Cell] = {"heads": len(found)}
    for row in by_method.rows:
        if row[0] in (WORDS, REFERENCE):
            summary |= {f"{MEASURES[i]}, {row[0]}": row[1 + i] for i in (0, 2, 3, 4)}
    report = Report(
        name="edit",
        title="Edits of unseen avatars",
        summary=summary,
        tables=tables,
        settings=to_dict(evaluation),
        models=hashes,
        notes=_NOTES,
    )
    shown = [(name, head) for name, head in found if len(head.pictures)]
    rows = [list(head.pictures) for _, head in shown]
    labels = [f"{name}: {next(iter(head.rows)).split(SEPARATOR)[1]}" for name, head in shown]
    methods = {row[0] for row in by_method.rows}
    made = [short for short, method in _SHOWN.items() if method in methods]
    columns = ["photo", "true", *(f"{short}{side}" for short in made for side in _SIDES)]
    return Findings(report, rows, labels, columns)


def _table(found: Sequence[tuple[str, MeasuredHead]], counts: Callable[[str], bool]) -> Table:
    """Return the mean figures of every method over the styles that count."""
    rows: dict[str, list[Mapping[str, float]]] = {}
    for _, head in found:
        for key, figures in head.rows.items():
            method, style = key.split(SEPARATOR)
            if counts(style):
                rows.setdefault(method, []).append(figures)
    return Table(
        ("method", *MEASURES),
        tuple(
            (method, *(_mean(figures, name) for name in MEASURES))
            for method, figures in rows.items()
        ),
    )


def _by_style(found: Sequence[tuple[str, MeasuredHead]]) -> Table:
    """Return how often words and references are named, and their likeness, style by style."""
    rows: dict[str, dict[str, list[Mapping[str, float]]]] = {}
    for _, head in found:
        for key, figures in head.rows.items():
            method, style = key.split(SEPARATOR)
            rows.setdefault(style, {}).setdefault(method, []).append(figures)
    names = ("named", "identity kept", "psnr", "psnr at 30")
    methods = (WORDS, REFERENCE)
    columns = tuple(f"{name}, {method}" for method in methods for name in names)
    return Table(
        ("style", *columns),
        tuple(
            (style, *(_mean(made.get(method, []), name) for method in methods for name in names))
            for style, made in rows.items()
        ),
    )


def _mean(figures: Sequence[Mapping[str, float]], name: str) -> float | None:
    return mean([one[name] for one in figures if name in one])
