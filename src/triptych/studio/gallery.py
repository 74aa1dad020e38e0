"""The gallery: every portrait in the studio's folder, newest first.

A portrait is in the gallery once its record is written, after all its files but a page that takes
a minute: what a killed job left is never shown.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.files import read_json, write_json
from triptych.studio.workplace import (
    ID_PATTERN,
    PAGE_FILE,
    PORTRAIT_RECORD,
    THUMBNAIL_FILE,
    Workplace,
)

PORTRAIT_FILE = "portrait.safetensors"


@dataclass(frozen=True)
class PortraitRecord:
    """What the gallery says of a portrait.

    Attributes:
        title: What it was asked to be.
        kind: Name of the task that made it.
        created: UTC, ISO 8601.
        file: Name of the portrait's file in its folder.
        parent: The portrait that it was made of, if there is one.
        notes: What a person should know of it.
        has_page: Whether there is a page that renders it.
        has_regions: Whether its parts can be exchanged.
        seed: Whose head it is, where it is one of the generator's as it is.
    """

    title: str
    kind: str
    created: str
    file: str = PORTRAIT_FILE
    parent: str | None = None
    notes: tuple[str, ...] = field(default=())
    has_page: bool = True
    has_regions: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        if Path(self.file).name != self.file or not self.file.endswith(".safetensors"):
            raise UserError("file: expected the name of a portrait's file")


@lru_cache(maxsize=4096)
def _read(file: Path, written: int) -> PortraitRecord:
    """Return the record in a file; `written` is when it was written, so that it is read once."""
    return from_dict(PortraitRecord, read_json(file))


class Gallery:
    """Portraits by their identifiers.

    Args:
        workplace: The studio's folder.
    """

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace

    def names(self) -> list[str]:
        """Return the identifiers of all portraits, the newest first."""
        return sorted((name for name, _ in self._records()), reverse=True)

    def entries(self) -> list[dict[str, Any]]:
        """Return all records with their identifiers, the newest first."""
        records = sorted(self._records(), reverse=True, key=lambda entry: entry[0])
        return [{"id": name, **to_dict(record)} for name, record in records]

    def entry(self, name: str) -> dict[str, Any]:
        """Return the record of a portrait with its identifier; see `record`."""
        return {"id": name, **to_dict(self.record(name))}

    def add(self, name: str, record: PortraitRecord) -> None:
        """Write a portrait's record, which puts it into the gallery."""
        write_json(self.workplace.portrait(name) / PORTRAIT_RECORD, to_dict(record))

    def record(self, name: str) -> PortraitRecord:
        """Return the record of a portrait.

        Raises:
            UserError: There is no such portrait.
        """
        file = self.workplace.portrait(name) / PORTRAIT_RECORD
        try:
            written = file.stat().st_mtime_ns
        except OSError as error:
            raise UserError(f"there is no portrait {name} in the gallery") from error
        return _read(file, written)

    def file(self, name: str) -> Path:
        """Return the file of a portrait.

        Raises:
            UserError: There is no such portrait.
        """
        return self.workplace.portrait(name) / self.record(name).file

    def page(self, name: str) -> Path:
        """Return the page of a portrait; it may be absent, see `PortraitRecord.has_page`."""
        return self._beside(name, PAGE_FILE)

    def thumbnail(self, name: str) -> Path:
        """Return the small picture of a portrait."""
        return self._beside(name, THUMBNAIL_FILE)

    def remove(self, name: str) -> None:
        """Remove a portrait with all its files.

        Raises:
            UserError: There is no such portrait.
        """
        self.record(name)
        trash = self.workplace.trash(name)
        os.replace(self.workplace.portrait(name), trash)  # gone at once, whatever follows
        shutil.rmtree(trash, ignore_errors=True)

    def _beside(self, name: str, file: str) -> Path:
        self.record(name)
        return self.workplace.portrait(name) / file

    def _records(self) -> Iterator[tuple[str, PortraitRecord]]:
        for entry in os.scandir(self.workplace.folder):
            if re.fullmatch(ID_PATTERN, entry.name):
                with suppress(UserError):
                    yield entry.name, self.record(entry.name)
