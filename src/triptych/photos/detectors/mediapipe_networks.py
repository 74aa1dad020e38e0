"""mediapipe's own networks, which lie inside its wheel (extra "photo"), without their chatter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError, import_optional


def mediapipe_solutions() -> Any:
    """Return the module of mediapipe's networks.

    Raises:
        MissingDependency: mediapipe is not installed.
        UserError: It is a version that has no networks inside.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    mediapipe = import_optional("mediapipe", "photo")
    solutions = getattr(mediapipe, "solutions", None)
    if solutions is None or not hasattr(solutions, "face_mesh"):
        version = getattr(mediapipe, "__version__", "unknown")
        raise UserError(
            f"mediapipe {version} carries no face networks; version 0.10.21 does; "
            'install it with: pip install "triptych[photo]"'
        )
    return solutions


def run(network: Any, pixels: NDArray[np.uint8]) -> Any:
    """Return what a network answers for uint8 pixels [h, w, 3]."""
    with silent_stderr():
        return network.process(np.ascontiguousarray(pixels))


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep mediapipe's C++ code from writing to the terminal, which no setting of it prevents."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
