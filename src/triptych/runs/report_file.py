"""Reports of measurements: one JSON file for programs and one table for people."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from triptych.errors import UserError, printable
from triptych.files import atomic_write, make_writable_folder, write_json
from triptych.folder_lock import FolderLock
from triptych.runs import console
from triptych.runs.device import device_name

CPU = torch.device("cpu")
Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table of results: column names and rows of the same width."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown, numbers with three digits behind the point."""
        lines = [markdown_line(self.columns), markdown_line(["---"] * len(self.columns))]
        return "\n".join([*lines, *map(markdown_line, self.rows)])


@dataclass(frozen=True)
class Report:
    """A measurement: protocol, models and results.

    Attributes:
        name: Stem of the two files, for instance "prior".
        title: Heading of the table.
        summary: The main figures, by name.
        tables: Tables by heading.
        settings: All settings of the protocol.
        models: SHA-256 of the weights of each model.
        notes: Remarks that the interpretation of the figures needs.
        details: Further figures, in the JSON file only.
    """

    name: str
    title: str
    summary: Mapping[str, Cell]
    tables: Mapping[str, Table] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def report_folder(folder: Path, name: str, *, overwrite: bool) -> Iterator[None]:
    """Make the folder of a report, see that nothing in it would be lost, and keep others out.

    A new folder into which nothing was written is removed again.

    Raises:
        UserError: The folder cannot be written, holds such a report, or another run writes to it.
    """
    if (folder / f"{name}.json").exists() and not overwrite:
        raise UserError(
            f"{folder} holds a report '{name}' already; choose another folder or add --overwrite"
        )
    is_new = not folder.exists()
    make_writable_folder(folder)
    try:
        with FolderLock(folder):
            yield
    finally:
        if is_new:
            with suppress(OSError):  # something is in it
                folder.rmdir()


def publish(report: Report, folder: Path, device: torch.device = CPU) -> None:
    """Write a report; show its summary and the path of its JSON file.

    Args:
        report: What was measured.
        folder: Where to.
        device: Where the networks computed.
    """
    json_path, _ = write_report(report, folder, device)
    shown = [(name, _text(value)) for name, value in report.summary.items()]
    console.table(("measure", "value"), shown)
    console.result(str(json_path))


def write_report(
    report: Report, folder: str | Path, device: torch.device = CPU
) -> tuple[Path, Path]:
    """Write `NAME.json` and `NAME.md` into a folder, each whole or not at all; see `publish`.

    Returns:
        Paths of the JSON file and of the Markdown file.
    """
    folder = Path(folder)
    origin = {
        "command": command_line(sys.argv),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{machine()}, networks on {device_name(device)}",
    }
    json_path, markdown_path = folder / f"{report.name}.json", folder / f"{report.name}.md"
    write_json(
        json_path,
        {
            "title": report.title,
            **origin,
            "models": dict(report.models),
            "settings": dict(report.settings),
            "summary": dict(report.summary),
            "tables": {
                heading: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
                for heading, table in report.tables.items()
            },
            "notes": list(report.notes),
            "details": dict(report.details),
        },
    )
    with atomic_write(markdown_path, "w") as stream:
        stream.write(markdown_of(report, origin))
    return json_path, markdown_path


def markdown_of(report: Report, origin: Mapping[str, Any]) -> str:
    """Return the report as a Markdown page."""
    summary = Table(("measure", "value"), tuple(report.summary.items()))
    parts = [f"# {report.title}", summary.markdown()]
    for heading, table in report.tables.items():
        parts += [f"## {heading}", table.markdown()]
    if report.notes:
        parts.append("\n".join(f"- {note}" for note in report.notes))
    models = ", ".join(f"{name} {digest[:12]}" for name, digest in report.models.items())
    parts.append(
        f"Command: `{origin['command']}`  \nDate: {origin['date']}  \n"
        f"Machine: {origin['machine']}  \nModels: {models or 'none'}"
    )
    return "\n\n".join(parts) + "\n"


def command_line(arguments: Sequence[str]) -> str:
    """Return the command that the user typed, from a program's path and arguments."""
    path = Path(arguments[0])
    called = ["python", "-m", path.parent.name] if path.stem == "__main__" else [path.name]
    return shlex.join([*called, *arguments[1:]])


def machine() -> str:
    """Return a description of the machine on one line."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )


def markdown_line(cells: Sequence[Cell]) -> str:
    """Return one line of a table; no cell can end it or begin another, whatever its text."""
    texts = (printable(" ".join(_text(cell).split())).replace("|", r"\|") for cell in cells)
    return "| " + " | ".join(texts) + " |"


def mean(values: Sequence[float]) -> float | None:
    """Return the mean of the finite values, None when there is none."""
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    return sum(finite) / len(finite) if finite else None


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
