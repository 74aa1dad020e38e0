"""The folder that a stylize run works in: what was asked for, and going on after a stop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.files import make_writable_folder, read_json, write_json

VIEWS_FOLDER, RESUME_FOLDER = "views", "resume"
_REQUEST_FILE = "request.json"


@contextmanager
def work_folder(work_dir: str | Path | None) -> Iterator[Path]:
    """Yield the given folder, made if absent, or a temporary one."""
    if work_dir is not None:
        make_writable_folder(work_dir)
        yield Path(work_dir)
        return
    with tempfile.TemporaryDirectory(prefix="triptych-") as temporary:
        yield Path(temporary)


def claim(folder: Path, request: Mapping[str, Any]) -> Path:
    """Return the folder of the run's state, made if absent.

    Args:
        folder: The work folder.
        request: Everything that decides the result, as JSON values.

    Raises:
        UserError: The folder belongs to another request.
    """
    resume, views = folder / RESUME_FOLDER, folder / VIEWS_FOLDER
    file = resume / _REQUEST_FILE
    if not file.exists() and views.is_dir() and any(views.iterdir()):
        raise UserError(
            f"{views} holds views of an earlier run; choose another folder, or remove it"
        )
    make_writable_folder(resume)
    if file.exists():
        earlier = read_json(file)
        different = [key for key in request if earlier.get(key) != request[key]]
        if different:
            raise UserError(
                f"{folder} holds an unfinished run with another {' and '.join(different)}; "
                "choose another folder, or remove this one"
            )
    write_json(file, dict(request))
    return resume


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage took, in seconds."""
    started = time.monotonic()
    yield
    seconds[stage] = round(time.monotonic() - started, 2)
