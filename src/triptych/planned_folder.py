"""Folders whose contents a plan decides: data sets and batches, which go on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.files import PLAN_FILE, json_values, make_writable_folder, read_json, write_json
from triptych.folder_lock import FolderLock


@contextmanager
def planned_folder(
    folder: Path,
    plan: Mapping[str, Any],
    *,
    contents: str,
    overwrite: bool,
    clear: Callable[[list[str]], None] | None = None,
) -> Iterator[None]:
    """Make a folder whose contents a plan decides, or re-enter it to continue the same plan.

    The plan is kept in the folder as `plan.json`. Within the block nobody else may enter.

    Args:
        folder: The folder; it and its parents are created. At the end it is removed if empty.
        plan: Everything that decides the contents, as JSON values.
        contents: What the folder holds, for messages: "data set".
        overwrite: The contents of another plan may be replaced.
        clear: Called with the names in the folder before they are replaced, to remove them; it
            may refuse by a UserError.

    Raises:
        UserError: The folder cannot be written, holds something else that may not be replaced, or
            another run writes to it.
    """
    make_writable_folder(folder)
    try:
        with FolderLock(folder):
            _claim(folder, json_values(plan), contents, overwrite=overwrite, clear=clear)
            yield
    finally:
        with suppress(OSError):
            folder.rmdir()


def _claim(
    folder: Path,
    plan: Any,
    contents: str,
    *,
    overwrite: bool,
    clear: Callable[[list[str]], None] | None,
) -> None:
    file = folder / PLAN_FILE
    if not overwrite and file.exists() and read_json(file) == plan:
        return
    present = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if present and not overwrite:
        if PLAN_FILE in present:
            held, advice = f"another {contents}", "choose another folder or add --overwrite"
        else:
            held, advice = "other files", "choose another folder"
        raise UserError(f"{folder} holds {held} ({present[0]}, ...); {advice}")
    if present and clear is not None:
        clear(present)
    write_json(file, plan)
