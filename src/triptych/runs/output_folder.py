"""A folder of results that is never half-written and never loses what it held before.

Results are written to a hidden staging folder inside the output folder and moved into place at the
end, `run.json` last. A stopped run leaves its staging folder, from which the same run continues;
another run deletes it. Earlier results stay until the new ones are complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.files import json_values, make_writable_folder, read_json, write_json
from triptych.folder_lock import FolderLock
from triptych.runs import console

RUN_FILE = "run.json"
STAGING_PREFIX = ".unfinished-"
REPLACED = ".replaced"


class OutputFolder:
    """The output folder of a run.

    Attributes:
        path: Final folder of the results.
        staging: Folder to write them to, on the same disk.
        finished: Whether the same run has been completed here before.
    """

    def __init__(
        self, path: Path, staging: Path, plan: dict[str, Any], lock: FolderLock, *, finished: bool
    ) -> None:
        self.path = path
        self.staging = staging
        self.finished = finished
        self._plan = plan
        self._lock = lock
        self._earlier = _files_of_earlier_run(path)

    @classmethod
    def open(cls, path: Path, plan: dict[str, Any], *, overwrite: bool = False) -> OutputFolder:
        """Check that a run may write here and make its staging folder.

        Args:
            path: The output folder; it and its parents are created.
            plan: Everything that determines the results, as JSON values; runs with equal plans are
                the same run.
            overwrite: Earlier results may be replaced.

        Raises:
            UserError: The folder cannot be written, has no room, holds other results, or another
                run writes to it.
        """
        plan = json_values(plan)
        make_writable_folder(path)
        lock = FolderLock(path)
        try:
            _undo_interrupted_swap(path)
            finished = not overwrite and holds_run(path, plan)
            if not finished and not overwrite:
                _check_empty(path)
            staging = path / f"{STAGING_PREFIX}{_fingerprint(plan)}"
            for left_over in path.glob(f"{STAGING_PREFIX}*"):
                if finished or left_over != staging:
                    shutil.rmtree(left_over, ignore_errors=True)
            if not finished:
                staging.mkdir(exist_ok=True)
        except BaseException:
            lock.release()
            raise
        if finished:
            lock.release()
        return cls(path, staging, plan, lock, finished=finished)

    def done_before(self) -> bool:
        """Return whether the same run was completed here before, which a note then says."""
        if self.finished:
            console.note(f"{self.path} already holds this very run; nothing to do")
        return self.finished

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Discard the results if the block was left by an error, and let others write here."""
        if kind is not None:
            self.discard()
        self._lock.release()

    @property
    def resumed(self) -> bool:
        """Whether an earlier, stopped run has left work to go on from."""
        return self.staging.is_dir() and any(self.staging.iterdir())

    def publish(self, run: dict[str, Any], *, drop: tuple[str, ...] = ()) -> None:
        """Move every result from staging into place and write `run.json`.

        Args:
            run: Contents of `run.json`; the plan and the list of files are added.
            drop: Names of entries in staging that are not results, such as checkpoints.
        """
        found = {entry.name for entry in self.staging.iterdir()}
        parts = {name for name in found if name.startswith(".")}  # of a run that was killed
        names = sorted(found - parts - {RUN_FILE, *drop})
        write_json(self.staging / RUN_FILE, {**run, "plan": self._plan, "files": names})
        _swap(self.staging, self.path, [*names, RUN_FILE], self._earlier)
        shutil.rmtree(self.staging)
        self._lock.release()

    @contextmanager
    def kept_for_resuming(self) -> Iterator[None]:
        """Keep what was made when the block is left by an error, for the same run to go on from.

        Raises:
            KeyboardInterrupt: The block was interrupted; it says that the run goes on.
        """
        try:
            yield
        except BaseException as error:
            if not self.resumed:
                self.discard()
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(
                    "stopped; the same command goes on from here; earlier results are untouched"
                ) from None
            raise
        finally:
            self._lock.release()

    def discard(self) -> None:
        """Remove the staging folder, and the output folder if it is empty."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self._lock.release()
        with suppress(OSError):
            self.path.rmdir()


def holds_run(path: Path, plan: dict[str, Any]) -> bool:
    """Return whether a folder holds all results of a finished run with this plan (JSON values)."""
    run = _earlier_run(path)
    return run.get("plan") == plan and all(
        (path / name).exists() for name in run.get("files", [RUN_FILE])
    )


def _check_empty(path: Path) -> None:
    visible = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    if visible:
        shown = ", ".join(visible[:3]) + (", ..." if len(visible) > 3 else "")
        raise UserError(
            f"the output folder {path} is not empty (it holds {shown}); "
            "choose another folder, or add --overwrite to replace earlier results"
        )


def _files_of_earlier_run(path: Path) -> set[str]:
    names = _earlier_run(path).get("files", [])
    return {name for name in names if isinstance(name, str) and Path(name).name == name}


def _earlier_run(path: Path) -> dict[str, Any]:
    with suppress(UserError):
        run = read_json(path / RUN_FILE)
        if isinstance(run, dict):
            return run
    return {}


def _fingerprint(plan: dict[str, Any]) -> str:
    text = json.dumps(plan, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _swap(staging: Path, path: Path, new: list[str], earlier: set[str]) -> None:
    """Put the new entries in place of the earlier ones; undo everything if that is interrupted."""
    replaced = path / REPLACED
    _remove(replaced)
    replaced.mkdir()
    moves: list[tuple[Path, Path]] = []
    try:
        # The record goes first and comes last: without it, the swap was interrupted.
        for name in [RUN_FILE, *sorted((earlier | set(new)) - {RUN_FILE})]:
            if os.path.lexists(path / name):
                moves.append((path / name, replaced / name))
                os.replace(*moves[-1])
        for name in new:
            moves.append((staging / name, path / name))
            os.replace(*moves[-1])
    except BaseException:
        for source, target in reversed(moves):
            if os.path.lexists(target):
                os.replace(target, source)
        raise
    shutil.rmtree(replaced)


def _undo_interrupted_swap(path: Path) -> None:
    """Put earlier results back if a process was killed while it replaced them; see `_swap`."""
    replaced = path / REPLACED
    if not replaced.is_dir():
        return
    if not (path / RUN_FILE).exists():
        for entry in list(replaced.iterdir()):
            _remove(path / entry.name)
            os.replace(entry, path / entry.name)
    _remove(replaced)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
