"""A single file that a command will write: checked before the work starts."""

from __future__ import annotations

from pathlib import Path

from triptych.errors import UserError
from triptych.files import make_writable_folder


def check_output_file(path: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Make the file's folder and see that the file may be written.

    Args:
        path: The file to be.
        suffixes: The endings it may have, for instance (".png",).
        overwrite: An existing file may be replaced.

    Raises:
        UserError: The ending is another one, the file exists, or its folder cannot be written.
    """
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes)
        raise UserError(f"the file name {path} ends in '{path.suffix}'; expected {expected}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file in it")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists; choose another name or add --overwrite")
    make_writable_folder(path.parent)
