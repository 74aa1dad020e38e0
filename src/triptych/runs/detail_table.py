"""The table of `metrics.detail`'s figures in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triptych.metrics.detail import PARTS
from triptych.runs.report_file import Cell, Table, mean

DETAIL_TABLE = "Detail at 256 pixels"
DETAIL_NOTE = (
    "Detail: gradient is the gradient magnitude relative to the true picture's (1 is as sharp; "
    "noise counts as sharpness); perceptual is the distance of the 64-pixel crop that holds most "
    "of the part. PSNR alone rewards blur."
)


def detail_table(figures: Mapping[str, Sequence[float]]) -> Table:
    """Return mean gradient and perceptual distance by part of the head.

    Args:
        figures: Values of each of `DETAIL_MEASURES`; nan where a part was not seen.
    """
    parts: list[tuple[Cell, ...]] = [
        (part, mean(figures[f"gradient {part}"]), mean(figures[f"perceptual {part}"]))
        for part in PARTS
    ]
    return Table(
        ("part", "gradient", "perceptual"), (("head", mean(figures["gradient"]), None), *parts)
    )
