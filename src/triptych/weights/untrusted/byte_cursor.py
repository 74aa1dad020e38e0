"""A position in bytes from which values are taken; reading past the end is an error."""

from __future__ import annotations

import struct

from triptych.errors import UserError

_FIRST_LINE_CHUNK, _LAST_LINE_CHUNK = 1 << 7, 1 << 20


class ByteCursor:
    """Takes bytes, numbers and lines one after the other.

    Args:
        data: The bytes; what is taken is a view of them, not a copy.
        position: Where to begin.
    """

    def __init__(self, data: memoryview, position: int = 0) -> None:
        self.data = data
        self.position = position

    def take(self, count: int) -> memoryview:
        """Return the next bytes.

        Raises:
            UserError: There are not so many.
        """
        start, end = self.position, self.position + count
        if count < 0 or end > len(self.data):
            raise UserError(
                f"cut off or broken: {max(count, 0):,} bytes are announced at byte {start:,}, "
                f"of which {len(self.data) - start:,} are there"
            )
        self.position = end
        return self.data[start:end]

    def byte(self) -> int:
        """Return the next byte as a number."""
        if self.position >= len(self.data):
            raise UserError(f"cut off after {len(self.data):,} bytes")
        self.position += 1
        return self.data[self.position - 1]

    def number(self, num_bytes: int, *, signed: bool = False) -> int:
        """Return the next little-endian whole number."""
        return int.from_bytes(self.take(num_bytes), "little", signed=signed)

    def float64(self) -> float:
        """Return the next big-endian number of double precision."""
        return struct.unpack(">d", self.take(8))[0]

    def line(self, longest: int) -> memoryview:
        """Return the bytes up to the next newline, which is taken but not returned.

        Args:
            longest: More bytes than this are an error.
        """
        start = self.position
        limit = min(len(self.data), start + longest + 1)
        searched, chunk = start, _FIRST_LINE_CHUNK
        while searched < limit:
            found = bytes(self.data[searched : min(searched + chunk, limit)]).find(b"\n")
            if found >= 0:
                self.position = searched + found + 1
                return self.data[start : searched + found]
            searched, chunk = searched + chunk, min(8 * chunk, _LAST_LINE_CHUNK)
        raise UserError(f"cut off or broken: the line at byte {start:,} has no end")
