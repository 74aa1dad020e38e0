"""Files that are either complete or absent; folders that are checked before long work starts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import platformdirs

from triptych.errors import UserError
from triptych.json_text import parse_json
from triptych.temporaries import remove_leftovers, temporary_name

NEEDED_BYTES = 64 << 20
"""Less free space than this counts as a full disk before a run starts."""

PLAN_FILE = "plan.json"


def user_cache_folder() -> Path:
    """Return the folder for large files of this package on a user's machine; it may not exist yet.

    The environment variable TRIPTYCH_CACHE names another one than the system's.
    """
    chosen = os.environ.get("TRIPTYCH_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("triptych", appauthor=False)


def make_writable_folder(path: str | Path) -> None:
    """Make a folder with its parents and check, before long work, that results can be written.

    Raises:
        UserError: It is a file, cannot be written, or its disk is nearly full.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; expected a folder; choose another name")
    missing = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(
            f"cannot write in the folder {folder} ({error.strerror or error}); choose another one"
        ) from error
    if free < NEEDED_BYTES:
        with suppress(OSError):
            for made in missing:
                made.rmdir()
        raise UserError(
            f"no space left for {folder}: {free >> 20} MB are free; "
            f"at least {NEEDED_BYTES >> 20} MB are needed"
        )


def check_output_file(path: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Make a file's folder and check, before any long work, that the file may be written.

    Args:
        path: The file to write.
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
    remove_leftovers(path.parent, of=path.name)


def check_empty_folder(path: Path, *, overwrite: bool) -> None:
    """Make a folder of files and check, before any long work, that they may be written.

    Raises:
        UserError: It cannot be written, or holds something that may not be replaced.
    """
    make_writable_folder(path)
    if not overwrite and any(path.iterdir()):
        raise UserError(f"{path} is not empty; choose another folder or add --overwrite")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffix that becomes `path` when the block succeeds.

    Raises:
        UserError: The folder does not exist, cannot be written, or the disk is full.
    """
    target = Path(path)
    temporary = temporary_name(target)
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file for writing that appears under its name only when the block succeeds.

    Text is UTF-8; what has no code there, such as undecodable bytes of a file's name, is escaped.
    """
    text: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    how = {} if "b" in mode else text
    with atomic_path(path) as temporary, open(temporary, mode, **how) as stream:
        yield stream


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; see `json_values`."""
    with atomic_write(path, "w") as stream:
        json.dump(json_values(value), stream, indent=2)
        stream.write("\n")


def json_values(value: Any) -> Any:
    """Return what a value is after its way through JSON: lists for tuples, texts for keys.

    Lone surrogates, which stand for undecodable bytes of a file's name, are escaped: they are no
    characters, and other programs refuse JSON with them.
    """
    return _encodable(json.loads(json.dumps(value)))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: The file is absent, unreadable or not JSON.
    """
    try:
        return parse_json(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise UserError(f"{path} is not valid JSON: it is no text in UTF-8") from error
    except UserError as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    if Path(path).is_dir():
        for file in sorted(found for found in Path(path).rglob("*") if found.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n".encode())
        return digest.hexdigest()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
