"""Compiled kernels are kept on disk under names that change with the source of any kernel.

Numba caches machine code per file and compares that file's date alone: after a change in
`kernel_math.py`, whose functions are compiled into kernels elsewhere, it would load stale code.

The disk is a convenience: where nothing can be written or read, kernels are compiled in each
process, with one line that says so.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = ("ops/kernel_math.py", "**/*_kernels.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile an entry point; what it calls is compiled into it and needs no cache of its own."""
    # The qualified name is the only part of numba's cache key that can be set from outside.
    function.__qualname__ = f"{function.__qualname__}_{_fingerprint()}"
    return compiled(fastmath=True, error_model="numpy", nogil=True)(function)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator: numba's `njit` with these options, kept on disk where possible."""

    def compile_lazily(function: Callable[..., Any]) -> Any:
        dispatcher = njit(**options)(function)
        try:
            dispatcher._cache = _OptionalCache(function)  # as its `enable_caching` does
        except (RuntimeError, OSError):  # no folder can be written
            _note_once()
        return dispatcher

    return compile_lazily


class _OptionalCache(FunctionCache):
    """Numba's cache of a function; a full disk or a damaged file costs time only."""

    def load_overload(self, *key: Any) -> Any:
        try:
            return super().load_overload(*key)
        except (OSError, EOFError, pickle.UnpicklingError):
            _note_once()
            return None

    def save_overload(self, *result: Any) -> None:
        try:
            super().save_overload(*result)
        except (OSError, EOFError, pickle.UnpicklingError):
            _note_once()


@lru_cache(maxsize=1)
def _note_once() -> None:
    logger.warning(
        "note: compiled kernels cannot be kept on disk, so each start takes some seconds longer; "
        "set NUMBA_CACHE_DIR to a folder that can be written"
    )


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Return ten hexadecimal digits of a hash over the source of all kernels."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(_PACKAGE.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
