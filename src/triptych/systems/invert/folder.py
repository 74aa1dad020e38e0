"""`triptych invert FOLDER`: many photos, each with a folder of its own, and one report.

OUT/plan.json      what was asked for; the same command goes on with the photos that are left
OUT/NAME/          what a single photo gets
OUT/report.json    what became of every photo, and why some could not be used
OUT/report.md      the same as a table
OUT/sheet.png      every photo beside its head, from the front and from both sides
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.files import (
    PLAN_FILE,
    atomic_write,
    json_values,
    read_json,
    write_json,
)
from triptych.photos.output_names import output_names
from triptych.planned_folder import planned_folder
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder, holds_run
from triptych.runs.record import file_record
from triptych.runs.report_file import markdown_line
from triptych.systems.invert.job import InvertJob, Source
from triptych.systems.invert.pipeline import InvertPipeline

REPORT_FILE, TABLE_FILE, SHEET_FILE = "report.json", "report.md", "sheet.png"
MOST_ROWS = 60
"""Photos beyond it are not on the sheet."""

_OWN_FILES = (REPORT_FILE, TABLE_FILE, SHEET_FILE, PLAN_FILE)
_SIDES_DEG = (-25.0, 0.0, 25.0)
_FIGURES = ("psnr", "perceptual", "identity")


def invert_folder(job: InvertJob, sources: list[Source], out: Path, *, overwrite: bool) -> None:
    """Invert all pictures of a folder; those that cannot be used are listed in the report.

    Raises:
        UserError: The output folder holds something else, or no picture could be used.
    """
    plan = job.plan()
    with planned_folder(out, plan, contents="run", overwrite=overwrite):
        _finish(out, sources, _invert_all(job, plan, sources, out))


def _invert_all(
    job: InvertJob, plan: dict[str, Any], sources: list[Source], out: Path
) -> dict[str, dict[str, Any]]:
    """Invert all pictures and return what became of each, by its name."""
    pipeline: InvertPipeline | None = None
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
                with folder, console.stages() as progress:
                    job.write(source, pipeline, folder, progress)
            records[source.name] = {"inverted": True, "folder": place.name, **_figures(place)}
        except UserError as error:
            console.warn(f"{source.name}: {error}")
            records[source.name] = {"inverted": False, "reason": str(error)}
    return records


def folder_names(photos: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each photo's path, no two alike."""
    return output_names(photos, lambda name: (name,), reserved=_OWN_FILES)


def _figures(place: Path) -> dict[str, Any]:
    """Return the last stage's figures and the time of a finished photo."""
    run = read_json(place / "run.json")
    last = run["stages"][-1]
    return {
        **{name: last[name] for name in _FIGURES},
        "seconds": run["seconds"]["total"],
        "notes": run["notes"],
    }


def _finish(out: Path, sources: list[Source], records: dict[str, dict[str, Any]]) -> None:
    """Write report, table and sheet.

    Raises:
        UserError: No picture could be used.
    """
    done = [name for name, record in records.items() if record["inverted"]]
    if not done:
        (out / PLAN_FILE).unlink()
        raise UserError(f"none of the {len(records)} photos could be inverted")
    write_json(out / REPORT_FILE, {"inverted": len(done), "photos": records})
    with atomic_write(out / TABLE_FILE, "w") as stream:
        stream.write(_table(records))
    _save_sheet(out, [(name, records[name]) for name in done[:MOST_ROWS]])
    console.note(f"{len(done)} of {len(records)} photos inverted")


def _table(records: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| photo | PSNR | perceptual | identity | seconds | remarks |",
        "|---|---|---|---|---|---|",
    ]
    for name, record in records.items():
        if record["inverted"]:
            figures = [f"{record[figure]:.3f}" for figure in _FIGURES]
            cells = [*figures, f"{record['seconds']:.0f}", "; ".join(record["notes"])]
        else:
            cells = ["-"] * (len(_FIGURES) + 1) + [f"not inverted: {record['reason']}"]
        lines.append(markdown_line([name, *cells]))
    return "\n".join(lines) + "\n"


def _save_sheet(out: Path, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """Show every photo and its head; read from the files, so that finished photos count too."""
    from triptych.export.pictures import save_png, view_pictures
    from triptych.export.sheets import picture_sheet
    from triptych.photos.photo import read_photo
    from triptych.portrait import TriPlanePortrait
    from triptych.runs.portrait_results import PORTRAIT_FILE
    from triptych.systems.invert.results import CROP_FILE, turned

    pictures = []
    for _, record in rows:
        place = out / record["folder"]
        portrait = TriPlanePortrait.load(place / PORTRAIT_FILE)
        heads = view_pictures(portrait, turned(portrait, yaws_deg=_SIDES_DEG))
        pictures.append([read_photo(place / CROP_FILE).pixels, *heads])
    labels = [
        f"{name}: {record['psnr']:.1f} dB, perceptual {record['perceptual']:.3f}"
        for name, record in rows
    ]
    side = pictures[0][1].shape[0]
    save_png(out / SHEET_FILE, picture_sheet(pictures, row_labels=labels, cell=side))
