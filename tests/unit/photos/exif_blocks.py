"""Exif blocks written entry by entry, right and wrong ones, for tests of reading photos."""

from __future__ import annotations

import struct

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
ORIENTATION, RESOLUTION_UNIT, GPS = 0x0112, 0x0128, 0x8825
EXIF_START = b"Exif\0\0"

_USUAL = (
    0x010E,
    0x010F,
    0x011A,
    0x011B,
    RESOLUTION_UNIT,
    0x0131,
    0x0132,
    0x8769,
    GPS,
    0x927C,
    0x9C9B,
)


def exif_block(entries, *, order: str = "<", after: bytes = b"") -> bytes:
    """Write a block.

    Args:
        entries: (tag, type, count, value or place) of each entry, in any order.
        order: "<" or ">".
        after: What follows the directory; its first byte is at 14 + 12 * number of entries.
    """
    rows = []
    for tag, kind, count, value in entries:
        short = "HH" if kind == SHORT and order == ">" else "I"
        held = (value & 0xFFFF, 0) if short == "HH" else (value & 0xFFFFFFFF,)
        rows.append(struct.pack(f"{order}HHI{short}", tag, kind, count & 0xFFFFFFFF, *held))
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return start + struct.pack(f"{order}H", len(rows)) + b"".join(rows) + bytes(4) + after


def random_block(rng: np.random.Generator, order: str | None = None) -> tuple[bytes, int]:
    """Draw a block that is wrong in some way, and the orientation that can be read from it.

    No entry is one that a TIFF file needs for its pixels.
    """
    order = order or "<>"[rng.integers(2)]
    turn = int(rng.integers(1, 9))
    entries = [
        (
            int(rng.choice(_USUAL) if rng.random() < 0.7 else rng.integers(0x8780, 0xC000)),
            int(rng.integers(0, 16)),
            int(rng.choice([0, 1, 2, 5, 70_000, 2**32 - 1])),
            int(rng.integers(0, 400) if rng.random() < 0.7 else rng.integers(0, 2**32)),
        )
        for _ in range(rng.integers(0, 12))
    ]
    entries.insert(int(rng.integers(len(entries) + 1)), (ORIENTATION, SHORT, 1, turn))
    block = exif_block(entries, order=order, after=rng.bytes(int(rng.integers(0, 300))))
    return block, turn


def damaged(block: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes of a block, or cut it off."""
    changed = np.frombuffer(block, np.uint8).copy()
    for _ in range(rng.integers(1, 8)):
        changed[rng.integers(len(changed))] = rng.integers(256)
    return changed.tobytes()[: int(rng.integers(0, len(changed) + 1))]
