"""Plots of evaluations: a point for every method, in panels side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.errors import import_optional
from triptych.files import atomic_path

_WIDTH, _LEGEND, _HEIGHT = 4.2, 2.4, 4.2


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: Written above.
        across: Title of the horizontal axis.
        points: Place of each method by its name.
        levels: Height and line style of methods that have no place, by name.
        logarithmic: Whether the horizontal axis is.
    """

    title: str
    across: str
    points: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    logarithmic: bool = False


def save_point_plot(path: str | Path, panels: Sequence[Panel]) -> None:
    """Draw panels with one legend; a method has one colour in all.

    Args:
        path: PNG file to be.
        panels: From left to right.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    import_optional("matplotlib", "train")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH * len(panels) + _LEGEND, _HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    methods = list(dict.fromkeys(name for panel in panels for name in panel.points))
    legend: dict[str, Any] = {}
    for place, panel in enumerate(panels, start=1):
        axes: Any = figure.add_subplot(1, len(panels), place)
        for name, (height, style) in panel.levels.items():
            legend[name] = axes.axhline(height, linestyle=style, color="0.6")
        for name, (x, y) in panel.points.items():
            (legend[name],) = axes.plot(x, y, "o", color=f"C{methods.index(name)}")
        if panel.logarithmic:
            axes.set_xscale("log")
        axes.set_xlabel(panel.across)
        axes.set_title(panel.title)
    figure.legend(list(legend.values()), list(legend), loc="outside right center")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
