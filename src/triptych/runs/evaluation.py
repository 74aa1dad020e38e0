"""What evaluations of heads share: a folder, progress, a sheet and a report; what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.export.sheets import save_image_rows
from triptych.files import make_writable_folder
from triptych.ops.colour import from_uint8, to_uint8
from triptych.progress import Step
from triptych.runs import console
from triptych.runs.report_file import CPU, Report, publish, report_folder
from triptych.weights.safetensors_file import FileHeader, load_tensors, save_tensors

_CLASS_NAME = "MeasuredHead"
_KEY_LENGTH = 16


@dataclass(frozen=True, eq=False)
class Findings:
    """The report of an evaluation and what its sheet shows.

    Attributes:
        report: Figures.
        rows: Pictures [3, h, h] in [-1, 1] of each head on the sheet.
        labels: One text per row.
        columns: One text per column, if any.
    """

    report: Report
    rows: Sequence[Sequence[Tensor]] = ()
    labels: Sequence[str] = ()
    columns: Sequence[str] | None = None


def evaluate_heads(
    name: str,
    heads: int,
    measure: Callable[[Step], Findings],
    out: Path,
    *,
    device: torch.device = CPU,
    overwrite: bool = False,
) -> None:
    """Measure heads and write NAME.json, NAME.md and the sheet NAME.png.

    Args:
        name: Of the evaluation.
        heads: How many will be measured.
        measure: Loads what it needs, calls the step it is given after each head, and returns what
            it found; called when the folder is known to be free.
        out: Folder of the report.
        device: Where networks compute.
        overwrite: Replace an earlier report.

    Raises:
        UserError: The folder holds such a report, or `measure` raises it.
    """
    with report_folder(out, name, overwrite=overwrite):
        with console.progress("heads", heads) as step:
            findings = measure(step)
        save_image_rows(out / f"{name}.png", findings.rows, findings.labels, findings.columns)
        publish(findings.report, out, device)


@dataclass(frozen=True, eq=False)
class MeasuredHead:
    """What was found of one head.

    Attributes:
        rows: Figures of each method by name.
        pictures: Of the sheet [n, 3, h, h] in [-1, 1]; none of heads that it does not show.
    """

    rows: Mapping[str, Mapping[str, float]]
    pictures: Tensor = field(default_factory=lambda: torch.zeros(0, 3, 1, 1))


class MeasuredHeads:
    """Heads measured so far, kept in a folder for a stopped evaluation to go on from.

    Args:
        folder: Where they are kept, made if absent; None keeps nothing.
        plan: Everything that decides the figures of a head beside its name, as JSON values.
    """

    def __init__(self, folder: Path | None, plan: Mapping[str, Any]) -> None:
        self._folder = folder
        text = json.dumps(plan, sort_keys=True)
        self._key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
        if folder is not None:
            make_writable_folder(folder)

    def __call__(self, name: str, measure: Callable[[], MeasuredHead]) -> MeasuredHead:
        """Return what is kept of a head, or measure and keep it.

        Raises:
            UserError: A kept file is damaged.
        """
        if self._folder is None:
            return measure()
        file = self._folder / f"{name.replace('/', '__')}-{self._key}.safetensors"
        if not file.exists():
            found = measure()
            # JSON sorts the names of a header; the order of the rows is kept beside it.
            record = {
                "methods": list(found.rows),
                "rows": {k: dict(v) for k, v in found.rows.items()},
            }
            save_tensors(
                file, {"pictures": to_uint8(found.pictures)}, FileHeader(_CLASS_NAME, record)
            )
        return _read(file)


def _read(file: Path) -> MeasuredHead:
    tensors, header = load_tensors(file, _CLASS_NAME)
    try:
        rows = {method: header.config["rows"][method] for method in header.config["methods"]}
        return MeasuredHead(rows, from_uint8(tensors["pictures"]))
    except (KeyError, TypeError) as error:
        raise UserError(f"{file} holds no measured head; remove it and run again") from error
