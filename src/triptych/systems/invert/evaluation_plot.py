"""The inversion table as a picture: quality over time, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.errors import import_optional
from triptych.files import atomic_path
from triptych.systems.invert.evaluation_methods import MEAN, PRIOR

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
    import_optional("matplotlib", "train")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(_PANELS) + 2.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, heading) in enumerate(_PANELS, start=1):
        panel: Any = figure.add_subplot(1, len(_PANELS), place)
        for method, row in figures.items():
            value, seconds = row[name], row["seconds"] or 0.0
            if value is None:
                continue
            if method in (MEAN, PRIOR):  # take no time: lines to compare with
                style = ":" if method == MEAN else "--"
                panel.axhline(value, linestyle=style, color="0.6", label=method)
            else:
                panel.plot(max(seconds, _LEAST_SECONDS), value, "o", label=method)
        panel.set_xscale("log")
        panel.set_xlabel("seconds")
        panel.set_title(heading)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right center")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
