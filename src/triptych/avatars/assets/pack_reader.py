"""Reading the arrays of an asset pack, a file that may be damaged or made to do harm."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 256_000_000
"""Unpacked; the whole head takes 7 MB."""
_MOST_REACH = 1e3
"""Decimetres of a place or an offset, and the largest weight of an anchor."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a pack by name.

    Raises:
        ValueError: The file is no archive of numbers and names, or unpacks to too much.
        OSError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _MOST_BYTES:
            raise ValueError(f"unpacks to {unpacked} bytes; expected at most {_MOST_BYTES}")
        with np.load(path, allow_pickle=False) as pack:
            arrays = {name: pack[name] for name in pack.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(str(error) or "no archive of arrays") from error
    for name, array in arrays.items():
        expected = "U" if name.endswith("/names") else "iuf"
        if not isinstance(array, np.ndarray) or array.dtype.kind not in expected:
            raise ValueError(f"{name}: expected {'names' if expected == 'U' else 'numbers'}")
    return arrays


def indices_of(arrays: Mapping[str, np.ndarray], name: str, count: int) -> NDArray[np.int64]:
    """Return an array of whole numbers from 0 to count - 1.

    Raises:
        KeyError: There is no such array.
        ValueError: It holds other numbers.
    """
    indices = arrays[name]
    if indices.dtype.kind == "f" or (
        indices.size and not 0 <= indices.min() <= indices.max() < count
    ):
        raise ValueError(f"{name}: expected whole numbers from 0 to {count - 1}")
    return indices.astype(np.int64)


def check_columns(arrays: Mapping[str, np.ndarray], names: Sequence[str], columns: int) -> None:
    """Check that arrays have rows of as many numbers.

    Raises:
        KeyError: There is no such array.
        ValueError: One has another shape.
    """
    for name in names:
        shape = arrays[name].shape
        if len(shape) != 2 or shape[1] != columns:
            raise ValueError(f"{name}: got shape {shape}; expected rows of {columns} numbers")


def check_reach(arrays: Mapping[str, np.ndarray]) -> None:
    """Check that places, offsets and weights are numbers of a head.

    Raises:
        ValueError: A value is not finite or far too large.
    """
    for name, array in arrays.items():
        if array.size and not np.abs(array).max() <= _MOST_REACH:
            raise ValueError(f"{name}: expected numbers from -{_MOST_REACH:g} to {_MOST_REACH:g}")
