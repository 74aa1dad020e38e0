"""Compiled kernels are kept on disk under names that change with the source of any kernel.

Numba caches machine code per file and compares that file's date alone: after a change in
`kernel_math.py`, whose functions are compiled into kernels elsewhere, it would load stale code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = ("ops/kernel_math.py", "**/*_kernels.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile an entry point; what it calls is compiled into it and needs no cache of its own."""
    # The qualified name is the only part of numba's cache key that can be set from outside.
    function.__qualname__ = f"{function.__qualname__}_{_fingerprint()}"
    return njit(cache=True, fastmath=True, error_model="numpy", nogil=True)(function)


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Return ten hexadecimal digits of a hash over the source of all kernels."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(_PACKAGE.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
