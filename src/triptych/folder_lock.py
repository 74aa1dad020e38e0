"""One writer per folder: a lock that the operating system drops when its process ends.

The lock is on the hidden file `.writing`, which also says who holds it and is removed at the end. A
file that a killed process left is not locked and is taken over. On disks without locks (some
network file systems) the file's record counts instead, unless its process is gone.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from triptych.errors import UserError
from triptych.temporaries import process_is_gone, remove_leftovers

LOCK_FILE = ".writing"

_LOCKED_BYTE = 1 << 40  # beyond what is in the file, which others may read meanwhile
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class FolderLock:
    """The right to write into a folder, until `release` or the end of the process.

    What killed writers left in the folder is removed.

    Raises:
        UserError: Another run writes there, in this process or another one.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._stream = _open_alone(self._path)
        _write_record(self._stream)
        remove_leftovers(folder)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def release(self) -> None:
        """Let others write there; a second call does nothing."""
        if self._stream.closed:
            return
        if os.name == "nt":  # there an open file cannot be removed
            self._stream.close()
        with suppress(OSError):
            self._path.unlink()
        self._stream.close()


def take_lock(stream: IO[Any]) -> bool | None:
    """Lock an open file against other openings of it, as long as it is open.

    Returns:
        False if it is locked already, None if its disk knows no locks.
    """
    try:
        if os.name == "nt":
            windows: Any = importlib.import_module("msvcrt")
            stream.seek(_LOCKED_BYTE)
            windows.locking(stream.fileno(), windows.LK_NBLCK, 1)
        else:
            unix: Any = importlib.import_module("fcntl")
            unix.flock(stream.fileno(), unix.LOCK_EX | unix.LOCK_NB)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True


def _open_alone(path: Path) -> IO[bytes]:
    while True:
        try:
            stream = open(path, "a+b", buffering=0)  # noqa: SIM115 - open as long as it is locked
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
        taken = take_lock(stream)
        if taken is False or (taken is None and _is_held(_record(stream))):
            record = _record(stream)
            stream.close()
            raise UserError(_refusal(path, record, sure=taken is False))
        # The holder until now may have removed the file after it was opened here.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(path)):
                return stream
        stream.close()


def _write_record(stream: IO[bytes]) -> None:
    record = {"process": os.getpid(), "host": platform.node(), "since": time.time()}
    with suppress(OSError):  # on a full disk the lock holds all the same
        stream.truncate(0)
        stream.write(json.dumps(record).encode())


def _record(stream: IO[bytes]) -> dict[str, Any]:
    """Return what the holder wrote; nothing where it is just about to."""
    with suppress(OSError, ValueError):
        stream.seek(0)
        record = json.loads(stream.read(4096))
        if isinstance(record, dict) and isinstance(record.get("since"), int | float):
            return record
    return {}


def _is_held(record: dict[str, Any]) -> bool:
    process = record.get("process")
    if not isinstance(process, int):
        return False
    return record.get("host") != platform.node() or not process_is_gone(process, record["since"])


def _refusal(path: Path, record: dict[str, Any], *, sure: bool) -> str:
    by = ""
    if record:
        host = record.get("host")
        on = "" if host == platform.node() else f" on {host}"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record["since"]))
        by = f" (process {record.get('process')}{on}, since {since})"
    advice = "wait for it, or choose another folder"
    if not sure:
        advice += f"; if it has ended, remove {path}"
    return f"another run is writing to {path.parent}{by}; {advice}"
