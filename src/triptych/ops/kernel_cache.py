"""Compiled kernels are kept on disk, by a name that changes with the source of any of them.

Numba keeps machine code per file and looks at that file alone: a change in a file whose functions
are compiled into another's would go unnoticed there.
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
    function.__qualname__ = f"{function.__qualname__}_{_fingerprint()}"
    return njit(cache=True, fastmath=True, error_model="numpy", nogil=True)(function)


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Return ten letters that stand for the source of all kernels."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(_PACKAGE.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
