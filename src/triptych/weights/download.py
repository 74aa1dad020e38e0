"""Downloads of published files: resumed after an interruption, checked, complete or absent."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import UserError
from triptych.files import NEEDED_BYTES, make_writable_folder, sha256_of
from triptych.progress import CountProgress, no_progress
from triptych.weights.http_reply import (
    BeyondEndError,
    PermanentError,
    Reply,
    TransientError,
    request,
)
from triptych.weights.partial_file import PartialFile
from triptych.weights.published import PublishedFile

MAX_BYTES = 4 << 30
"""More than any published model; the limit for files of unknown length."""

_PICKLE_START, _PICKLE_END = b"\x80", b"."
_PROGRESS_BYTES = 1 << 20


class DownloadError(UserError):
    """The publisher's server did not deliver the file; a browser may still get it."""


@dataclass(frozen=True)
class RetryPolicy:
    """When to retry and when to give up.

    Attributes:
        timeout_s: Longest time without a byte.
        attempts: Failures before giving up; every megabyte gained starts the count anew.
        pause_s: Wait after the first failure; after the n-th, n times as long.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    pause_s: float = 2.0


@dataclass(frozen=True)
class Downloaded:
    """A downloaded file.

    Attributes:
        path: The file.
        sha256: Its hash.
        checked: Whether a public page states that hash.
    """

    path: Path
    sha256: str
    checked: bool


def download(
    published: PublishedFile,
    folder: Path,
    *,
    progress: CountProgress | None = None,
    retries: RetryPolicy | None = None,
) -> Downloaded:
    """Download a published file into a folder; a file that is there already is only checked.

    An interrupted transfer, of this call or an earlier one, resumes where it stopped if the server
    still has the same version of the file. The file appears under its name only when it is complete
    and its length and hash are right.

    Args:
        published: What to download.
        folder: Made if absent.
        progress: Called with the bytes received and the total (0 while unknown).
        retries: For a slow or failing server.

    Raises:
        DownloadError: No address delivers the file, or it is not the published one.
        UserError: It cannot be written.
    """
    target = folder / published.name
    if not published.addresses:
        raise DownloadError(f"{published.name} cannot be downloaded: {published.remark}")
    make_writable_folder(folder)
    if target.exists():
        return _already_here(published, target)
    with PartialFile(target) as partial:
        _check_room(folder, published.num_bytes - partial.length)
        transfer = _Transfer(published, partial, progress or no_progress, retries or RetryPolicy())
        digest = transfer.run()
        partial.publish()
    return Downloaded(target, digest, bool(published.sha256))


class _Transfer:
    """The attempts to get one file."""

    def __init__(
        self,
        published: PublishedFile,
        partial: PartialFile,
        progress: CountProgress,
        retries: RetryPolicy,
    ) -> None:
        self.published, self.partial = published, partial
        self.progress, self.retries = progress, retries
        self.joined = False  # whether the bytes come from more than one response

    def run(self) -> str:
        """Try the addresses in order; return the hash of the complete, checked file."""
        refusals = []
        for address in self.published.addresses:
            try:
                return self._from(address)
            except PermanentError as refusal:
                refusals.append(str(refusal))
        raise DownloadError(
            f"{self.published.name} could not be downloaded: {'; '.join(dict.fromkeys(refusals))}"
        )

    def _from(self, address: str) -> str:
        self.joined = self.partial.can_resume_from(address)
        self._complete(address)
        digest = sha256_of(self.partial.path)
        if self.joined and self._is_wrong(digest):
            # Earlier bytes were damaged, or belong to another version after all.
            self.partial.forget()
            self._complete(address)
            digest = sha256_of(self.partial.path)
        if self._is_wrong(digest):
            self.partial.forget()
            raise PermanentError(
                f"the file on the server is not the published one: its SHA-256 is {digest}; "
                f"expected {self.published.sha256} as {self.published.stated_by} states"
            )
        return digest

    def _is_wrong(self, digest: str) -> bool:
        return bool(self.published.sha256) and digest != self.published.sha256

    def _complete(self, address: str) -> None:
        """Receive all bytes; retry as long as there is progress."""
        failures, most = 0, self.partial.length
        while True:
            try:
                self._attempt(address)
            except TransientError as failure:
                failures += 1
                # Progress counts beyond the most bytes so far, so that a server that always starts
                # over and always breaks off is given up too.
                if self.partial.length >= most + _PROGRESS_BYTES:
                    failures, most = 1, self.partial.length
                if failures >= self.retries.attempts:
                    raise self._given_up(failure) from failure
                time.sleep(failures * self.retries.pause_s)
            else:
                return

    def _attempt(self, address: str) -> None:
        partial = self.partial
        goes_on = partial.can_resume_from(address)
        start, validator = (partial.length, partial.validator) if goes_on else (0, "")
        if not (goes_on and partial.length == (self.published.num_bytes or partial.total)):
            try:
                with request(address, start, validator, self.retries.timeout_s) as reply:
                    self._accept(address, reply)
                    for block in reply.blocks():
                        self._take(block)
            except BeyondEndError as error:
                if error.total != partial.length:
                    partial.forget()
                    raise TransientError(str(error)) from error
        self._check_end()

    def _accept(self, address: str, reply: Reply) -> None:
        """Record what the response will send, or refuse it."""
        expected = self.published.num_bytes
        if expected and reply.total is not None and reply.total != expected:
            raise PermanentError(
                f"the file on the server has {reply.total} bytes; the published one has {expected}"
            )
        partial = self.partial
        if reply.start == 0:
            partial.begin(address, reply.validator, reply.total)
            return
        another_length = None not in (reply.total, partial.total) and reply.total != partial.total
        if another_length or reply.validator != partial.validator:
            partial.forget()
            raise TransientError("the file on the server has changed")
        partial.total = reply.total if partial.total is None else partial.total
        self.joined = True

    def _take(self, block: bytes) -> None:
        partial, expected = self.partial, self.published.num_bytes
        most = expected or partial.total or MAX_BYTES
        if partial.length + len(block) > most:
            partial.forget()
            raise PermanentError(f"the server sends more than the {most} bytes of the file")
        if partial.length == 0 and not block.startswith(_PICKLE_START):
            partial.forget()
            raise PermanentError(f"the server answered with {_described(block)}, not a model")
        partial.append(block)
        self.progress(partial.length, expected or partial.total or 0)

    def _check_end(self) -> None:
        """Check that the last byte received is the last byte of the file."""
        partial = self.partial
        expected = self.published.num_bytes or partial.total
        if expected is not None and partial.length < expected:
            raise TransientError(f"the transfer ended after {partial.length} of {expected} bytes")
        if not self.published.sha256 and partial.last_byte() != _PICKLE_END:
            # A stated length may be wrong, and without one the end of the bytes proves nothing.
            if expected is None:
                raise TransientError("the transfer ended in the middle of the file")
            partial.forget()
            raise PermanentError(
                f"the {expected} bytes that the server offers are not a complete model"
            )

    def _given_up(self, failure: TransientError) -> UserError:
        kept = self.partial.length if self.partial.validator else 0
        hint = f"; {kept} bytes are kept: the same command resumes there" if kept else ""
        return DownloadError(
            f"{self.published.name} could not be downloaded: {failure} "
            f"({self.retries.attempts} times){hint or '; try again later'}"
        )


def _already_here(published: PublishedFile, path: Path) -> Downloaded:
    length = path.stat().st_size
    digest = sha256_of(path)
    if published.num_bytes and length != published.num_bytes:
        found, expected = f"{length} bytes", f"{published.num_bytes} bytes"
    elif published.sha256 and digest != published.sha256:
        found, expected = f"SHA-256 {digest}", published.sha256
    else:
        return Downloaded(path, digest, bool(published.sha256))
    raise UserError(
        f"{path} exists but is not the published file: got {found}; expected {expected}; "
        "remove it, or choose another folder with --to"
    )


def _check_room(folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < missing + NEEDED_BYTES:
        raise UserError(
            f"no space left for {folder}: {free >> 20} MB are free; "
            f"{(missing + NEEDED_BYTES) >> 20} MB are needed"
        )


def _described(block: bytes) -> str:
    start = block[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, perhaps one to log in"
    if start.startswith((b"{", b"[")):
        return "a JSON text, perhaps a notice"
    return "something else"
