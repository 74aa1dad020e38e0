"""The studio's folder: where portraits, photos, previews and records of jobs are.

ID/                        a portrait: the files of its job, page.html, thumbnail.jpg, studio.json
.studio/jobs/ID.json       records of jobs
.studio/uploads/ID.png     photos that were uploaded, decoded and written anew
.studio/heads/SEED.jpg     previews of the seed wall
.studio/aligned/ID.png     what alignment found in photos
.studio/exports/ID.zip     packed exports

Every name is made here or is a number; nothing that a browser sends becomes part of a path unless
it has the form of an identifier.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import triptych
from triptych.errors import UserError, shown
from triptych.files import make_writable_folder

ID_PATTERN = r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}"
_ID = re.compile(ID_PATTERN)

PORTRAIT_RECORD, PAGE_FILE, THUMBNAIL_FILE = "studio.json", "page.html", "thumbnail.jpg"
_MOST_KEPT = {"uploads": 200, "aligned": 200, "exports": 40}
"""Exports: as many as the list of jobs shows."""
_KINDS = ("jobs", "uploads", "heads", "aligned", "exports", "trash")


def new_id() -> str:
    """Return a name that nothing has: the time, by which names sort, and chance."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    return f"{moment}-{nanoseconds * 2**16 // 10**9:04x}{secrets.token_hex(2)}"


def check_id(name: str) -> str:
    """Return an identifier.

    Raises:
        UserError: The text is none.
    """
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise UserError(f"identifier: got {shown(name)}; expected one that the studio gave out")
    return name


@dataclass(frozen=True)
class Workplace:
    """Paths below the studio's folder.

    Attributes:
        folder: The studio's folder.
    """

    folder: Path

    def make(self) -> None:
        """Make all folders.

        Raises:
            UserError: They cannot be written.
        """
        make_writable_folder(self.folder)
        for kind in _KINDS:
            self._own(kind).mkdir(parents=True, exist_ok=True)

    def portrait(self, name: str) -> Path:
        """Return the folder of a portrait."""
        return self.folder / check_id(name)

    def job_record(self, name: str) -> Path:
        """Return the record of a job."""
        return self._own("jobs") / f"{check_id(name)}.json"

    def job_records(self) -> list[Path]:
        """Return the records of all jobs, the oldest first."""
        return sorted(path for path in self._own("jobs").glob("*.json") if _ID.fullmatch(path.stem))

    def upload(self, name: str) -> Path:
        """Return the picture of an uploaded photo."""
        return self._own("uploads") / f"{check_id(name)}.png"

    def raw_upload(self, name: str) -> Path:
        """Return where an upload is until it is decoded."""
        return self._own("uploads") / f"{check_id(name)}.part"

    def head(self, seed: int) -> Path:
        """Return the preview of a seed's head; models belong to a version of this package."""
        return self._own("heads") / f"{triptych.__version__}-{int(seed)}.jpg"

    def aligned(self, name: str) -> Path:
        """Return the picture of what alignment found."""
        return self._own("aligned") / f"{check_id(name)}.png"

    def export(self, name: str) -> Path:
        """Return the packed files of an export."""
        return self._own("exports") / f"{check_id(name)}.zip"

    def trash(self, name: str) -> Path:
        """Return where a portrait's folder goes before its files are removed."""
        return self._own("trash") / check_id(name)

    def leftovers(self) -> list[Path]:
        """Return what was never decoded, packed or wholly removed."""
        return [
            *self._own("uploads").glob("*.part"),
            *self._own("exports").glob(".*"),
            *self._own("trash").iterdir(),
        ]

    def prune(self) -> None:
        """Remove photos, alignments and exports beyond the newest."""
        for kind, most in _MOST_KEPT.items():
            for old in sorted(self._own(kind).glob("[0-9]*"))[:-most]:
                with suppress(OSError):
                    old.unlink()

    def forget_job(self, name: str) -> None:
        """Remove the record of a job, and its files where it left no portrait."""
        with suppress(OSError):
            self.job_record(name).unlink()
        if not (self.portrait(name) / PORTRAIT_RECORD).is_file():
            shutil.rmtree(self.portrait(name), ignore_errors=True)

    def _own(self, kind: str) -> Path:
        return self.folder / ".studio" / kind
