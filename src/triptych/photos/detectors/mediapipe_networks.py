"""mediapipe's own networks, which lie inside its wheel (extra "photo"), without their chatter.

mediapipe's C++ code writes to the file descriptor of stderr, which no setting of it prevents: when
networks are built, and once more for the first face. Only then the descriptor is diverted, by one
thread at a time, and what others wrote to it meanwhile is passed on.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError, import_optional

_CHATTER = re.compile(
    rb"INFO: Created TensorFlow|WARNING: All log messages before absl::|[IW]\d{4} \d\d:\d\d"
)
_STDERR = 2

_one_at_a_time = threading.RLock()  # a network answers one question at a time, and stderr is one


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
    """Return what a network answers for uint8 pixels [h, w, 3]; threads wait for each other."""
    with _one_at_a_time:
        return network.process(np.ascontiguousarray(pixels))


@contextmanager
def without_chatter() -> Iterator[None]:
    """Leave out what mediapipe writes to stderr; everything else that is written appears after."""
    with _one_at_a_time, tempfile.TemporaryFile() as written:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STDERR)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not _CHATTER.match(line):
                    os.write(_STDERR, line)
