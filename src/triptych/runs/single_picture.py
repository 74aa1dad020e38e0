"""One picture with an output folder of its own, as a verb is given it; `photo_batch` does many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from triptych.photos.picture_source import PictureSource
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder
from triptych.runs.photo_batch import PictureJob
from triptych.runs.record import file_record


def run_picture(
    job: PictureJob[Any],
    source: PictureSource,
    out: Path,
    *,
    overwrite: bool,
    check: Callable[[], object] | None = None,
    resumable: bool = False,
) -> None:
    """Do a job for one picture; a finished run is not repeated.

    Args:
        job: What is done.
        source: The picture.
        out: The folder.
        overwrite: Replace other results.
        check: Raises UserError for what cannot be used, before the folder is touched.
        resumable: What a stopped run leaves stays in the folder, and the next goes on from it.

    Raises:
        UserError: The picture cannot be used, or the folder holds other results.
    """
    plan = {**job.plan(), "photo": file_record(source.path)}
    if check is not None:
        check()
    folder = OutputFolder.open(out, plan, overwrite=overwrite)
    if folder.done_before():
        return
    if resumable and folder.resumed:
        console.note(f"going on with the run that was stopped in {out}")
    with folder.kept_for_resuming() if resumable else folder:
        pipeline = job.pipeline()
        with console.stages() as progress:
            job.write(source, pipeline, folder, progress)
