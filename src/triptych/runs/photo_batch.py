"""Many pictures, each with an output folder of its own, and one report: what every verb does so.

OUT/plan.json      what was asked for; the same command goes on with the pictures that are left
OUT/NAME/          what a single picture gets
OUT/report.json    what became of every picture, and why some could not be used
OUT/report.md      the same as a table
OUT/sheet.png      every picture beside its head
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from triptych.errors import UserError
from triptych.export.pictures import save_png
from triptych.export.sheets import picture_sheet
from triptych.files import (
    PLAN_FILE,
    atomic_write,
    json_values,
    read_json,
    write_json,
)
from triptych.photos.output_names import output_names
from triptych.photos.picture_source import PictureSource
from triptych.planned_folder import planned_folder
from triptych.progress import Progress
from triptych.runs import console
from triptych.runs.output_folder import RUN_FILE, OutputFolder, holds_run
from triptych.runs.record import file_record
from triptych.runs.report_file import markdown_line

REPORT_FILE, TABLE_FILE, SHEET_FILE = "report.json", "report.md", "sheet.png"
MOST_ROWS = 60
"""Pictures beyond it are not on the sheet."""

_OWN_FILES = (REPORT_FILE, TABLE_FILE, SHEET_FILE, PLAN_FILE)

Pipeline = TypeVar("Pipeline")


class PictureJob(Protocol[Pipeline]):
    """What a verb does with one of many pictures."""

    @property
    def done(self) -> str:
        """What is said of pictures that went through: "inverted"."""

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures in the table."""

    def plan(self) -> dict[str, Any]:
        """Return everything but the pictures that decides the results, as JSON values."""

    def pipeline(self) -> Pipeline:
        """Load the models, once there is a picture that needs them."""

    def write(
        self, source: PictureSource, pipeline: Pipeline, folder: OutputFolder, progress: Progress
    ) -> None:
        """Publish the results of one picture; a UserError says why it cannot be used."""

    def figures_of(self, run: dict[str, Any]) -> dict[str, float]:
        """Return the figures of a finished picture from its run.json."""

    def caption(self, figures: dict[str, Any]) -> str:
        """Return what the sheet says of a picture beside its name."""

    def row(self, place: Path) -> list[np.ndarray]:
        """Return a finished picture and its head as they are on the sheet."""


def run_batch(
    job: PictureJob[Any], sources: Sequence[PictureSource], out: Path, *, overwrite: bool
) -> None:
    """Do a job for all pictures of a folder; those that cannot be used are listed in the report.

    Raises:
        UserError: The output folder holds something else, or no picture could be used.
    """
    plan = job.plan()
    with planned_folder(out, plan, contents="run", overwrite=overwrite):
        _finish(job, out, _each(job, plan, sources, out))


def _each(
    job: PictureJob[Any], plan: dict[str, Any], sources: Sequence[PictureSource], out: Path
) -> dict[str, dict[str, Any]]:
    """Do the job for every picture and return what became of each, by its name."""
    pipeline = None
    records: dict[str, dict[str, Any]] = {}
    names = folder_names(source.name for source in sources)
    for number, source in enumerate(sources, start=1):
        place = out / names[source.name]
        own = json_values({**plan, "photo": file_record(source.path)})
        try:
            if not holds_run(place, own):
                console.note(f"{number} of {len(sources)}: {source.name}")
                pipeline = pipeline or job.pipeline()
                folder = OutputFolder.open(place, own, overwrite=True)
                with folder.kept_for_resuming():
                    _write(job, source, pipeline, folder)
            run = read_json(place / RUN_FILE)
            figures = {**job.figures_of(run), "seconds": run["seconds"]["total"]}
            records[source.name] = {
                job.done: True,
                "folder": place.name,
                **figures,
                "notes": run["notes"],
            }
        except UserError as error:
            console.warn(f"{source.name}: {error}")
            records[source.name] = {job.done: False, "reason": str(error)}
    return records


def _write(
    job: PictureJob[Any], source: PictureSource, pipeline: Any, folder: OutputFolder
) -> None:
    try:
        with console.stages() as progress:
            job.write(source, pipeline, folder, progress)
    except UserError:
        folder.discard()  # nothing to go on from
        raise


def folder_names(photos: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each picture's path, no two alike."""
    return output_names(photos, lambda name: (name,), reserved=_OWN_FILES)


def _finish(job: PictureJob[Any], out: Path, records: dict[str, dict[str, Any]]) -> None:
    """Write report, table and sheet.

    Raises:
        UserError: No picture could be used.
    """
    done = [name for name, record in records.items() if record[job.done]]
    if not done:
        (out / PLAN_FILE).unlink()
        raise UserError(f"none of the {len(records)} photos could be {job.done}")
    write_json(out / REPORT_FILE, {job.done: len(done), "photos": records})
    with atomic_write(out / TABLE_FILE, "w") as stream:
        stream.write(_table(job, records))
    _save_sheet(job, out, [(name, records[name]) for name in done[:MOST_ROWS]])
    console.note(f"{len(done)} of {len(records)} photos {job.done}")


def _table(job: PictureJob[Any], records: dict[str, dict[str, Any]]) -> str:
    columns = ["photo", *job.figures, "seconds", "remarks"]
    lines = [markdown_line(columns), f"|{'---|' * len(columns)}"]
    names = [name.lower() for name in job.figures]
    for photo, record in records.items():
        if record[job.done]:
            figures = [f"{record[name]:.3f}" for name in names]
            cells = [*figures, f"{record['seconds']:.0f}", "; ".join(record["notes"])]
        else:
            cells = ["-"] * (len(names) + 1) + [f"not {job.done}: {record['reason']}"]
        lines.append(markdown_line([photo, *cells]))
    return "\n".join(lines) + "\n"


def _save_sheet(job: PictureJob[Any], out: Path, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """Show every picture and its head; read from files, so that those of earlier runs count too."""
    pictures = [job.row(out / record["folder"]) for _, record in rows]
    labels = [f"{name}: {job.caption(record)}" for name, record in rows]
    side = pictures[0][1].shape[0]
    save_png(out / SHEET_FILE, picture_sheet(pictures, row_labels=labels, cell=side))
