"""The first directory of a TIFF file, which is also what an Exif block is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_ENTRY = 12  # bytes: tag, type, count, value or where it is
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}  # of the types read here: byte, text, short, long, any
_WHOLE = (1, 3, 4)  # byte, short, long
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class TiffDirectory:
    """Entries of a directory, as far as they lie within the data.

    Attributes:
        data: The whole file or block.
        order: Its byte order.
        start: Where the directory is.
    """

    data: bytes
    order: Literal["little", "big"]
    start: int

    @classmethod
    def of(cls, data: bytes) -> TiffDirectory | None:
        """Return the first directory of a file or block; None if it is no TIFF."""
        order = _ORDERS.get(data[:4])
        if order is None:
            return None
        return cls(data, order, int.from_bytes(data[4:8], order))

    def orientation(self) -> int | None:
        """Return the value of the orientation entry; None without a readable one."""
        found = None
        for entry in self._entries():
            tag, kind = self._number(entry[:2]), self._number(entry[2:4])
            if tag == _ORIENTATION and kind in _WHOLE and self._number(entry[4:8]) == 1:
                found = self._number(entry[8 : 8 + _SIZES[kind]])
        return found

    def value(self, tag: int) -> bytes:
        """Return the bytes of an entry that are stored outside the directory; none without it."""
        for entry in self._entries():
            if self._number(entry[:2]) == tag:
                length = self._number(entry[4:8]) * _SIZES.get(self._number(entry[2:4]), 0)
                start = self._number(entry[8:12])
                return self.data[start : start + length]
        return b""

    def without(self, unwanted: Callable[[int], bool]) -> bytes:
        """Return the data with a directory that lacks entries; all else stays where it is.

        Args:
            unwanted: Called with the number of each tag.
        """
        entries = self._entries()
        kept = [entry for entry in entries if not unwanted(self._number(entry[:2]))]
        end = self.start + 2 + _ENTRY * len(entries)
        directory = b"".join([len(kept).to_bytes(2, self.order), *kept, self.data[end : end + 4]])
        after = self.start + len(directory)
        return self.data[: self.start] + directory + self.data[after:]

    def _entries(self) -> list[bytes]:
        first = self.start + 2
        count = self._number(self.data[self.start : first])
        places = range(first, min(first + _ENTRY * count, len(self.data) - _ENTRY + 1), _ENTRY)
        return [self.data[place : place + _ENTRY] for place in places]

    def _number(self, digits: bytes) -> int:
        return int.from_bytes(digits, self.order)
