"""Zip archives whose members are stored as they are, which is all that torch.save writes.

Members are views of the file: nothing is unpacked, so nothing can unfold to more than the file.

Reference: PKWARE, .ZIP File Format Specification (APPNOTE), sections 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from triptych.errors import UserError
from triptych.weights.untrusted.limits import check_no_idle_bytes

MAX_MEMBERS = 100_000
MEMBER_MARGIN = 4096
"""Headers, names and alignment of a member take no more."""
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _MEMBER = b"PK\x01\x02", b"PK\x03\x04"
_END_BYTES, _LOCATOR_BYTES, _END_64_BYTES = 22, 20, 56
_ENTRY_BYTES, _MEMBER_BYTES = 46, 30
_LONGEST_COMMENT = 1 << 16
_ENCRYPTED = 1
_EXTRA_64 = 1
_IN_EXTRA = 0xFFFFFFFF


@dataclass(frozen=True)
class _Entry:
    name: str
    checksum: int
    num_bytes: int
    start: int  # of the member's own header


class StoredZip:
    """The members of an archive by name.

    Args:
        data: The whole file.

    Raises:
        UserError: It is no zip archive, is cut off, or has packed or encrypted members.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._entries: dict[str, _Entry] = {}
        count, position = _find_directory(data)
        if count > MAX_MEMBERS:
            raise UserError(f"the archive has {count:,} members, more than any checkpoint")
        idle = len(data)
        for _ in range(count):
            entry, position = _read_entry(data, position)
            idle -= entry.num_bytes + MEMBER_MARGIN
            if entry.name in self._entries:
                raise UserError("the archive has two members of the same name")
            self._entries[entry.name] = entry
        check_no_idle_bytes(idle)

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return list(self._entries)

    def read(self, name: str) -> memoryview:
        """Return the content of a member, a view of the file, having compared its checksum.

        Raises:
            UserError: There is no such member, it lies outside the file, or it was damaged.
        """
        content, checksum = self.find(name)
        if zlib.crc32(content) != checksum:
            raise UserError("a member of the archive is damaged (its checksum differs)")
        return content

    def find(self, name: str) -> tuple[memoryview, int]:
        """Return the content of a member without looking at it, and its checksum.

        Raises:
            UserError: There is no such member, or it lies outside the file.
        """
        if name not in self._entries:
            raise UserError("the archive lacks a member that it refers to")
        entry = self._entries[name]
        header = _bytes_at(self._data, entry.start, _MEMBER_BYTES, _MEMBER)
        name_length, extra_length = struct.unpack_from("<HH", header, 26)
        start = entry.start + _MEMBER_BYTES + name_length + extra_length
        if start + entry.num_bytes > len(self._data):
            raise UserError("a member of the archive reaches beyond the end of the file")
        return self._data[start : start + entry.num_bytes], entry.checksum


def _find_directory(data: memoryview) -> tuple[int, int]:
    """Return the number of entries and the position of the first."""
    tail_start = max(0, len(data) - _END_BYTES - _LONGEST_COMMENT)
    found = bytes(data[tail_start:]).rfind(_END)
    if found < 0:
        raise UserError("the zip archive is cut off: its directory is missing")
    end = _bytes_at(data, tail_start + found, _END_BYTES, _END)
    count, _, position = struct.unpack_from("<HII", end, 10)
    locator_start = tail_start + found - _LOCATOR_BYTES
    if locator_start >= 0 and data[locator_start : locator_start + 4] == _LOCATOR_64:
        (end_64_start,) = struct.unpack_from("<Q", data, locator_start + 8)
        end_64 = _bytes_at(data, end_64_start, _END_64_BYTES, _END_64)
        count, _, position = struct.unpack_from("<QQQ", end_64, 32)
    return count, position


def _read_entry(data: memoryview, position: int) -> tuple[_Entry, int]:
    """Return one entry of the directory and the position after it."""
    header = _bytes_at(data, position, _ENTRY_BYTES, _ENTRY)
    flags, method = struct.unpack_from("<HH", header, 8)
    checksum, packed, num_bytes, name_length, extra_length, comment_length = struct.unpack_from(
        "<IIIHHH", header, 16
    )
    (start,) = struct.unpack_from("<I", header, 42)
    name_start = position + _ENTRY_BYTES
    after = name_start + name_length + extra_length + comment_length
    if after > len(data):
        raise UserError("the directory of the zip archive is cut off")
    extra = data[name_start + name_length : after - comment_length]
    num_bytes, packed, start = _large_numbers(extra, num_bytes, packed, start)
    if method != 0 or packed != num_bytes:
        raise UserError("the archive has packed members; torch stores them as they are")
    if flags & _ENCRYPTED:
        raise UserError("the archive is encrypted")
    if num_bytes > len(data):
        raise UserError("a member of the archive claims to be larger than the file")
    try:
        name = str(data[name_start : name_start + name_length], "utf-8")
    except UnicodeError as error:
        raise UserError("a member of the archive has a name that is not text") from error
    return _Entry(name, checksum, num_bytes, start), after


def _large_numbers(extra: memoryview, *numbers: int) -> list[int]:
    """Replace numbers that did not fit into 32 bits by those in the entry's extra fields."""
    found, position = list(numbers), 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        position += 4
        if kind == _EXTRA_64:
            field = bytes(extra[position : position + length])
            for index, number in enumerate(found):
                if number == _IN_EXTRA:
                    if len(field) < 8:
                        raise UserError("the directory of the zip archive is broken")
                    found[index] = int.from_bytes(field[:8], "little")
                    field = field[8:]
        position += length
    return found


def _bytes_at(data: memoryview, position: int, count: int, magic: bytes) -> memoryview:
    found = data[position : position + count]
    if position < 0 or len(found) < count or found[: len(magic)] != magic:
        raise UserError("the zip archive is broken: its parts are not where it says")
    return found
