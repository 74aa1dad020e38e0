"""A partly downloaded file and the record of where its bytes came from."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from triptych.errors import UserError
from triptych.files import read_json, write_json
from triptych.folder_lock import take_lock


class PartialFile:
    """The bytes of a download so far, kept beside the final file when the transfer is interrupted.

    A hidden JSON file records the address and the version that the bytes came from, so that bytes
    of two versions are never joined. Only one process may hold the file at a time.

    Attributes:
        target: The final file.
        path: The file that holds the bytes until then.
        length: Number of bytes.
        address: Where they came from; empty if there are none.
        validator: Entity tag or date of that version; empty if the server sent none.
        total: Length of that version as the server stated it; None if it did not.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.partial")
        self._notes = target.with_name(f".{target.name}.partial.json")
        self.address, self.validator = "", ""
        self.total: int | None = None
        try:
            self._stream = io.FileIO(self.path, "a+b")
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._lock()
        self.length = os.fstat(self._stream.fileno()).st_size
        self._read_notes()

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the file; remove bytes that no later call could resume from."""
        useless = self.length == 0 or not self.validator
        self._stream.close()
        if useless:
            self._remove()

    def can_resume_from(self, address: str) -> bool:
        """Return whether the rest of these bytes can be requested from an address."""
        return self.length > 0 and bool(self.validator) and self.address == address

    def begin(self, address: str, validator: str, total: int | None) -> None:
        """Discard all bytes and record where the next ones come from."""
        self._resize(0)
        self.address, self.validator, self.total = address, validator, total
        write_json(self._notes, {"address": address, "validator": validator, "total": self.total})

    def forget(self) -> None:
        """Discard all bytes."""
        self.begin("", "", None)

    def append(self, block: bytes) -> None:
        """Append bytes.

        Raises:
            UserError: They cannot be written; those before them are kept.
        """
        rest = memoryview(block)
        try:
            while rest:
                written = self._stream.write(rest)
                self.length += written
                rest = rest[written:]
        except OSError as error:
            raise UserError(
                f"cannot write {self.path}: {error.strerror or error}; the {self.length} bytes "
                "that are here are kept: the same command resumes there"
            ) from error

    def last_byte(self) -> bytes:
        """Return the last byte, or nothing."""
        self._stream.seek(max(0, self.length - 1))
        return self._stream.read(1)

    def publish(self) -> None:
        """Move the complete file to its final name."""
        try:
            os.fsync(self._stream.fileno())
            if os.name == "nt":  # there an open file cannot be renamed
                self._stream.close()
            os.replace(self.path, self.target)
        except OSError as error:
            raise UserError(f"cannot write {self.target}: {error.strerror or error}") from error
        self._notes.unlink(missing_ok=True)
        self.validator = ""

    def _resize(self, length: int) -> None:
        self._stream.truncate(length)
        self._stream.seek(0, os.SEEK_END)
        self.length = length

    def _read_notes(self) -> None:
        with suppress(UserError):
            notes = read_json(self._notes)
            if isinstance(notes, dict):
                self.address = str(notes.get("address", ""))
                self.validator = str(notes.get("validator", ""))
                total = notes.get("total")
                self.total = total if isinstance(total, int) else None

    def _lock(self) -> None:
        """Lock the file against other processes; the lock ends with this process."""
        try:
            # The process that held it until now may have moved it to its final name.
            alone = take_lock(self._stream) is not False and os.path.samestat(
                os.fstat(self._stream.fileno()), os.stat(self.path)
            )
        except OSError:
            alone = False
        if not alone:
            self._stream.close()
            raise UserError(
                f"{self.target.name} is being downloaded to {self.target.parent} already; "
                "wait for it, or choose another folder"
            )

    def _remove(self) -> None:
        for path in (self.path, self._notes):
            with suppress(OSError):
                path.unlink()
