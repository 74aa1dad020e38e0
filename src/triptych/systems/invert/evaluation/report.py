"""3DpSp's table: how well pictures are inverted by each method, and how the heads turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triptych.export.sheets import save_image_rows
from triptych.metrics.frechet import INCEPTION_FILE, frechet_distance
from triptych.runs.point_plot import Panel, save_point_plot
from triptych.runs.report_file import Cell, Report, Table, mean
from triptych.systems.invert.evaluation.methods import (
    BASELINE,
    DIRECT,
    MEAN,
    PRIOR,
    REFINED,
    TUNED,
    steps_name,
)
from triptych.systems.invert.evaluation.scores import HeadScores

COLUMNS = {
    "l2": "L2",
    "psnr": "PSNR",
    "perceptual": "perceptual",
    "identity": "identity",
    "frechet": "FID (embedded)",
    "fid": "FID (Inception)",
    "side_psnr": "PSNR at +-25",
    "side_perceptual": "perceptual at +-25",
    "side_identity": "identity at +-25",
    "nearer": "own head nearer at +-25",
    "above": "above another at +-25",
    "seconds": "seconds",
}
"""Figures by their names in scores, and their headings."""


def inversion_report(
    scores: Sequence[HeadScores],
    *,
    settings: Mapping[str, Any],
    models: Mapping[str, str],
    networks: Mapping[str, str],
    baseline: str,
    inception: str | None = None,
) -> Report:
    """Summarise what was measured of all heads.

    Args:
        scores: One per head.
        settings: Of the protocol.
        models: Hashes.
        networks: Which metric network each term used, in words.
        baseline: What the row "pSp" is, in words.
        inception: What FID's network is, in words; None where its weights are not there.
    """
    figures = figures_by_method(scores)
    shown = [name for name in COLUMNS if any(row[name] is not None for row in figures.values())]
    table = Table(
        ("method", *(COLUMNS[name] for name in shown)),
        tuple((method, *(row[name] for name in shown)) for method, row in figures.items()),
    )
    return Report(
        name="inversion",
        title="From a picture to a head",
        summary=_summary(figures, len(scores)),
        tables={"By method": table},
        settings=settings,
        models=models,
        notes=(
            f"pSp: {baseline}.",
            *(f"Network of {term}: {used}." for term, used in networks.items()),
            *_notes_on_fid(scores[0].features.shape[1] * len(scores), inception),
            "At +-25: the head turned 25 degrees to both sides, against the true head there. Own "
            "head nearer: share of these views that are more like the true head than like another "
            "avatar. Above another: share that are more like the true head than another avatar is.",
            "Seconds from the aligned picture on, on the machine below.",
        ),
        details={"heads": {score.name: score.rows for score in scores}},
    )


def figures_by_method(scores: Sequence[HeadScores]) -> dict[str, dict[str, float | None]]:
    """Return the mean figures of every method, in the order of the table."""
    methods = list(scores[0].rows)
    true = _features(scores, 0)
    found: dict[str, dict[str, float | None]] = {}
    for number, method in enumerate(methods, start=1):
        row = {
            name: mean([score.rows[method][name] for score in scores])
            if name in scores[0].rows[method]
            else None
            for name in COLUMNS
        }
        row["frechet"] = frechet_distance(_features(scores, number), true)
        row["fid"] = _fid(scores, number)
        found[method] = row
    order = {method: place for place, method in enumerate(_order(len(methods)))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def step_figures(figures: Mapping[str, Mapping[str, float | None]], name: str) -> list[float]:
    """Return one figure after each step of the encoder."""
    values: list[float] = []
    while (row := figures.get(steps_name(len(values) + 1))) is not None:
        values.append(row[name] or 0.0)
    return values


def _order(num_methods: int) -> list[str]:
    steps = [steps_name(count) for count in range(1, num_methods + 1)]
    return [MEAN, BASELINE, *steps, REFINED, TUNED, DIRECT, PRIOR]


def _features(scores: Sequence[HeadScores], number: int) -> Any:
    return np.concatenate([score.features[number].double().numpy() for score in scores])


def _fid(scores: Sequence[HeadScores], number: int) -> float | None:
    found = [score.inception for score in scores if score.inception is not None]
    if not found:
        return None
    pred, true = (
        np.concatenate([features[place].double().numpy() for features in found])
        for place in (number, 0)
    )
    return frechet_distance(pred, true)


def _notes_on_fid(num_pictures: int, inception: str | None) -> Iterator[str]:
    embedded = (
        "FID (embedded): squared Frechet distance of mean features of the avatar feature network, "
        f"over {num_pictures} pictures; it compares the rows of this table, not with figures of "
        "Inception"
    )
    if inception is None:
        yield f"{embedded}, whose file {INCEPTION_FILE} is not in the cache folder's networks."
        return
    yield f"{embedded}."
    yield (
        f"FID (Inception): the same distance of the pooled features of {inception}. It is over "
        f"{num_pictures} pictures, grows as they get fewer, and compares only with figures over as "
        "many."
    )


def _summary(figures: Mapping[str, Mapping[str, float | None]], num_heads: int) -> dict[str, Cell]:
    perceptual, ratio = (step_figures(figures, name) for name in ("perceptual", "psnr"))
    count = len(perceptual)
    last, refined, baseline = figures[steps_name(count)], figures[REFINED], figures[BASELINE]
    falls = all(after < before for before, after in zip(perceptual, perceptual[1:], strict=False))
    summary: dict[str, Cell] = {
        "heads": num_heads,
        "steps": count,
        "psnr of the last step": ratio[-1],
        "perceptual of the last step": perceptual[-1],
        "identity of the last step": last["identity"],
        "every step lowers the perceptual distance": _yes_or_no(falls),
        "refinement lowers it further": _yes_or_no(_of(refined, "perceptual") < perceptual[-1]),
        "beats pSp on perceptual distance": _yes_or_no(
            perceptual[-1] < _of(baseline, "perceptual")
        ),
        "beats pSp on identity": _yes_or_no(_of(last, "identity") > _of(baseline, "identity")),
        "psnr after refinement": refined["psnr"],
    }
    if PRIOR in figures:
        own = _of(figures[PRIOR], "psnr")
        summary["psnr of the true latent"] = own
        summary["psnr of the last step below it"] = own - ratio[-1]
    if last["above"] is not None:
        summary["own head nearer at +-25, last step"] = last["nearer"]
        summary["above another at +-25, last step"] = last["above"]
        summary["own head nearer at +-25, refined"] = refined["nearer"]
        summary["above another at +-25, refined"] = refined["above"]
    return summary


def _of(row: Mapping[str, float | None], name: str) -> float:
    value = row[name]
    return float("nan") if value is None else value


def _yes_or_no(true: bool) -> str:
    return "yes" if true else "no"


_PANELS = (
    ("perceptual", "perceptual distance"),
    ("identity", "identity similarity"),
    ("psnr", "PSNR (dB)"),
)
_LEAST_SECONDS = 0.05  # a logarithmic axis has no zero


def save_inversion_plot(
    path: str | Path, figures: Mapping[str, Mapping[str, float | None]]
) -> None:
    """Draw three figures of every method over the time that it takes.

    Args:
        path: PNG file to be.
        figures: Mean figures by method.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    save_point_plot(path, [_panel(name, heading, figures) for name, heading in _PANELS])


def _panel(name: str, heading: str, figures: Mapping[str, Mapping[str, float | None]]) -> Panel:
    points: dict[str, tuple[float, float]] = {}
    levels: dict[str, tuple[float, str]] = {}
    for method, row in figures.items():
        value = row[name]
        if value is None:
            continue
        if method in (MEAN, PRIOR):  # take no time: lines to compare with
            levels[method] = (value, ":" if method == MEAN else "--")
        else:
            points[method] = (max(row["seconds"] or 0.0, _LEAST_SECONDS), value)
    return Panel(heading, "seconds", points, levels, logarithmic=True)


def save_inversion_sheet(path: str | Path, scores: Sequence[HeadScores]) -> None:
    """Save a row per pictured head: the picture, then the result of every method."""
    shown = [(score, score.pictures) for score in scores if score.pictures is not None]
    columns = ("picture", *shown[0][0].rows) if shown else None
    labels = [f"head {score.name}" for score, _ in shown]
    save_image_rows(Path(path), [list(pictures) for _, pictures in shown], labels, columns)
