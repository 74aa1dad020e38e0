"""Style named over likeness, a point for every method."""

from __future__ import annotations

from pathlib import Path

from triptych.errors import MissingDependency
from triptych.runs import console
from triptych.runs.point_plot import Panel, save_point_plot
from triptych.runs.report_file import Table

_PANELS = {"psnr": "from the photo's camera", "psnr at 30": "at 30 degrees"}


def save_edit_plot(table: Table, path: Path) -> None:
    """Draw the share of named styles of every method over its likeness.

    Where matplotlib is not installed a note says so, and nothing is drawn.

    Args:
        table: Rows of methods with the columns "named", "psnr" and "psnr at 30".
        path: PNG file to be.
    """
    panels = [
        Panel(f"style named (%), {title}", "PSNR (dB)", _places(table, name))
        for name, title in _PANELS.items()
    ]
    try:
        save_point_plot(path, panels)
    except MissingDependency as error:
        console.note(f"no plot: {error}")


def _places(table: Table, name: str) -> dict[str, tuple[float, float]]:
    across, named = table.columns.index(name), table.columns.index("named")
    return {
        str(row[0]): (float(row[across] or 0), 100 * float(row[named] or 0))
        for row in table.rows
        if row[across] is not None and row[named] is not None
    }
