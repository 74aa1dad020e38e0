"""The table of tensors at the beginning of a safetensors file, read within limits.

A file says in its first eight bytes how long the table is; the table is a JSON object. This reader
looks before the library does, so that a table made to exhaust the machine is refused unread.

Reference: the format description at https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.json_text import parse_json
from triptych.weights.file_kinds import CHECKPOINT_KINDS, first_bytes, kind_of_file

LONGEST_TABLE = 8 << 20
"""Bytes. EG3D's generator needs 40 thousand, Stable Diffusion half a million."""
MAX_TENSORS = 20_000
_METADATA = "__metadata__"
_SIZES = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2},
    **{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1},
}
_MAX_DIMENSIONS = 32


@dataclass(frozen=True)
class SafetensorsLayout:
    """What a file says of itself.

    Attributes:
        shapes: Of each tensor by name.
        metadata: Texts by name.
        unread: The first tensor whose numbers are of a type that is not read, and the type.
    """

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    unread: tuple[str, str] | None


def read_layout(path: str | Path) -> SafetensorsLayout:
    """Read the table of a file.

    Raises:
        UserError: The file is absent, of another kind, cut off, or its table is broken or larger
            than that of any network.
    """
    start = first_bytes(path)
    kind = kind_of_file(start)
    if kind in CHECKPOINT_KINDS:
        raise UserError(
            f"{path} is {kind}; expected a safetensors file; if it is a published checkpoint, "
            f"convert it first: triptych convert {path} OUT.safetensors"
        )
    if kind not in (None, "a safetensors file"):
        raise UserError(f"{path} is {kind}; expected a safetensors file")
    try:
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            num_bytes = os.fstat(stream.fileno()).st_size - 8 - length
            if num_bytes < 0:
                raise UserError("its table is longer than the file")
            if length > LONGEST_TABLE:
                raise UserError(f"its table has {length:,} bytes, more than any network's")
            table = parse_json(stream.read(length).decode("utf-8"))
        return _layout_of(table, num_bytes)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (UserError, UnicodeError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file (cut off, or something else): {error}"
        ) from error


def _layout_of(table: Any, num_bytes: int) -> SafetensorsLayout:
    """Check a table.

    Args:
        table: As it stands in the file.
        num_bytes: Length of what is behind it.
    """
    if not isinstance(table, dict):
        raise UserError("its table is no object")
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise UserError("its metadata are not texts")
    if len(table) > MAX_TENSORS:
        raise UserError(f"it has {len(table):,} tensors, more than any network")
    entries = {name: _entry(entry) for name, entry in table.items()}
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.end)):
        if entry.start != end or entry.num_bytes not in (None, entry.end - entry.start):
            raise UserError("its table contradicts itself about where the tensors are")
        end = entry.end
    if end != num_bytes:
        raise UserError(f"its tensors have {end:,} bytes; {num_bytes:,} are there")
    unread = [(name, entry.dtype) for name, entry in entries.items() if entry.num_bytes is None]
    return SafetensorsLayout(
        {name: entry.shape for name, entry in entries.items()}, metadata, next(iter(unread), None)
    )


@dataclass(frozen=True)
class _Entry:
    """One tensor of a table; `num_bytes` is None where its type is not read."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def num_bytes(self) -> int | None:
        size = _SIZES.get(self.dtype)
        return None if size is None else math.prod(self.shape) * size


def _entry(value: Any) -> _Entry:
    entry = value if isinstance(value, dict) else {}
    dtype, shape, span = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(span, list):
        raise UserError("its table has something else in place of a tensor")
    sizes = [*shape, *span]
    if len(span) != 2 or len(shape) > _MAX_DIMENSIONS:
        raise UserError("its table has a tensor without a place, or of too many dimensions")
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise UserError("its table has an impossible size")
    return _Entry(dtype, tuple(shape), span[0], span[1])
