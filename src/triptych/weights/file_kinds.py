"""The kind of a file, recognised by its first bytes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from triptych.errors import UserError

START_BYTES = 512
_KINDS = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"PK\x03\x04", "a zip archive, as torch.save and .npz make"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x80", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"glTF", "a glTF mesh"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a numpy array (.npy)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"%PDF", "a PDF document"),
    (b"{", "a JSON text"),
    (b"<", "a web page"),
)
CHECKPOINT_KINDS = ("a zip archive, as torch.save and .npz make", "a Python pickle")


def first_bytes(path: str | Path) -> bytes:
    """Return the beginning of a file.

    Raises:
        UserError: It is absent, unreadable, empty, or no ordinary file (a pipe would never end).
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"cannot read {path}: it is not a file")
        with open(path, "rb") as stream:
            start = stream.read(START_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if not start:
        raise UserError(f"{path} is empty")
    return start


def kind_of_file(start: bytes) -> str | None:
    """Return the kind of file that begins with these bytes, as "a ..."; None if it is unknown."""
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30:
        return "a safetensors file"  # first: the length of its table may begin like another kind
    for magic, kind in _KINDS:
        if start.startswith(magic):
            return kind
    if start[257:262] == b"ustar":
        return "a tar archive"
    return None


def is_text(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is a text."""
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start) and b" " in start
