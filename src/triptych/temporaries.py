"""Names of files that are being written, and the removal of those that killed processes left."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

_FORM = re.compile(
    r"\..*\.(?P<host>[0-9a-f]{6})-(?P<process>\d{1,10})\.part(?:\.[^.]*)?", re.DOTALL
)
_LONGEST_PAUSE_S = 24 * 3600
"""A file of another computer on a shared disk is left over when nothing was written for so long."""


def temporary_name(target: Path) -> Path:
    """Return the hidden path to write a file at until it is whole: beside it, with its suffix.

    It names this computer and this process, so that others can tell whether it is still in use.
    """
    return target.with_name(f".{target.stem}.{_this_host()}-{os.getpid()}.part{target.suffix}")


def remove_leftovers(folder: Path, *, of: str | None = None) -> None:
    """Remove temporary files and folders of processes that are no more.

    Args:
        folder: Searched with its subfolders.
        of: Only the temporary files of this file, in this folder alone.
    """
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path, found = Path(place, name), _FORM.fullmatch(name)
            if found is None or (of is not None and not name.startswith(f".{Path(of).stem}.")):
                continue
            if _is_abandoned(path, found["host"], int(found["process"])):
                _remove(path)
        if of is not None:
            return


def process_is_gone(process: int, since: float) -> bool:
    """Return whether no process of this computer has a number since a time, in Unix seconds.

    Numbers are used again: a process that began later is another one.
    """
    import psutil

    try:
        return psutil.Process(process).create_time() > since + 1
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _this_host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _is_abandoned(path: Path, host: str, process: int) -> bool:
    try:
        written = path.stat().st_mtime
    except OSError:
        return False
    if host != _this_host():
        return time.time() - written > _LONGEST_PAUSE_S
    return process_is_gone(process, written)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
