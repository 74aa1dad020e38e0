"""The other side of `child.Child`: how a program in a child process hears and answers."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any


class Line:
    """Messages to the parent; what libraries print goes to stderr instead."""

    def __init__(self) -> None:
        self._stream: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Send a message; a parent that is gone ends this process."""
        with self._lock:
            try:
                self._stream.write(json.dumps(message) + "\n")
                self._stream.flush()
            except OSError:
                os._exit(0)


def messages(at_end: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """Yield the parent's messages; `at_end` is called when it is gone."""
    for line in sys.stdin:
        yield json.loads(line)
    at_end()
