"""The container of binary glTF 2.0: arrays, and the two chunks of a file."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triptych.files import atomic_write

_FLOAT, _UNSIGNED_INT = 5126, 5125
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
_MAGIC, _VERSION = 0x46546C67, 2
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942


@dataclass(frozen=True, eq=False)
class GlbPart:
    """One array of the binary chunk.

    Attributes:
        array: float32 of vertices, or unsigned uint32 of indices.
        kind: glTF's type: SCALAR, VEC2, VEC3 or VEC4.
        bounded: Whether the least and the largest numbers are said, as POSITION needs.
    """

    array: np.ndarray
    kind: str
    bounded: bool = False

    @property
    def is_indices(self) -> bool:
        """Whether these are indices of vertices."""
        return self.array.dtype.kind == "u"

    def accessor(self, index: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "bufferView": index,
            "componentType": _UNSIGNED_INT if self.is_indices else _FLOAT,
            "type": self.kind,
            "count": len(self.array),
        }
        if self.bounded:
            found |= {
                "min": self.array.min(axis=0).tolist(),
                "max": self.array.max(axis=0).tolist(),
            }
        return found

    def view(self, offset: int) -> dict[str, Any]:
        target = _INDEX_DATA if self.is_indices else _VERTEX_DATA
        length = self.array.nbytes
        return {"buffer": 0, "byteOffset": offset, "byteLength": length, "target": target}


def buffers(parts: Sequence[GlbPart]) -> dict[str, Any]:
    """Return the entries that say where in the one binary chunk each part lies."""
    ends = list(itertools.accumulate(part.array.nbytes for part in parts))
    starts = [0, *ends[:-1]]
    return {
        "buffers": [{"byteLength": ends[-1]}],
        "bufferViews": [part.view(start) for part, start in zip(parts, starts, strict=True)],
        "accessors": [part.accessor(index) for index, part in enumerate(parts)],
    }


def write_glb(path: str | Path, document: dict[str, Any], chunks: Sequence[bytes]) -> None:
    """Write both chunks behind the header, atomically."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    size = sum(map(len, chunks))
    with atomic_write(path) as stream:
        stream.write(struct.pack("<3I", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + size))
        stream.write(struct.pack("<2I", len(text), _JSON_CHUNK) + text)
        stream.write(struct.pack("<2I", size, _BINARY_CHUNK))
        for chunk in chunks:
            stream.write(chunk)
