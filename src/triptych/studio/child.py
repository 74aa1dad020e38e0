"""A program of this package in a process of its own, spoken to in lines of JSON.

What may crash, hang or be told to stop runs there. The child leaves when its input ends, so that
none outlives the studio.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any


class ChildEnded(Exception):
    """The process is gone."""


class Child:
    """A running process.

    Args:
        module: Dotted name of the program, run as `python -m`.
        arguments: Its arguments.
    """

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C in the terminal is for the studio, which tells it
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Say whether it runs."""
        return self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            ChildEnded: Nobody reads it.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ChildEnded("its process has ended") from error

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """Return the next message, or None when the time is over.

        Raises:
            ChildEnded: There will be none.
        """
        try:
            message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)
            raise ChildEnded(f"its process has ended (status {self._process.wait()})")
        return message

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._reader.join(timeout=5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                message = json.loads(line)
                self._messages.put(message if isinstance(message, dict) else {})
        self._messages.put(None)
