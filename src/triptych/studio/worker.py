"""The child process that runs jobs, one at a time; models stay in memory between them.

Messages from the parent: {"run": id, "kind": ..., "settings": {...}} and {"cancel": id}. Answers:
{"ready": true}, {"progress": [stage, done, total]}, {"said": text}, and at the end of a job
{"ended": "done" | "failed" | "cancelled", "error": text}.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.runs import console, extras
from triptych.runs.waiting_threads import wait_briefly
from triptych.studio.child_side import Line, messages
from triptych.studio.job import INTERNAL_ERROR, words_of
from triptych.studio.tasks import task_of
from triptych.studio.tasks.workshop import Workshop

_LAST_WORDS_S = 10.0
_REPORTS_PER_SECOND = 10


class Worker:
    """Runs jobs as the parent says.

    Args:
        line: Where answers go.
        workshop: Where jobs find and leave things.
    """

    def __init__(self, line: Line, workshop: Workshop) -> None:
        self._line, self._workshop = line, workshop
        self._orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._running: str | None = None
        self._interruptible: str | None = None
        self._cancelled: str | None = None
        self._reported = 0.0

    def serve(self) -> None:
        """Run jobs until the parent is gone."""
        signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._listen, daemon=True).start()
        self._line.send(ready=True)
        while (order := self._orders.get()) is not None:
            ended, error = self._run(order)
            self._line.send(ended=ended, error=error)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far the job is, not more often than anybody looks."""
        now = time.monotonic()
        if done in (0, total) or now - self._reported > 1 / _REPORTS_PER_SECOND:
            self._reported = now
            self._line.send(progress=[stage, done, total])

    def said(self, text: str) -> None:
        """Tell a note of the job."""
        self._line.send(said=text)

    def _listen(self) -> None:
        for message in messages(at_end=self._leave):
            if "run" in message:
                self._orders.put(message)
            else:
                self._cancel(message.get("cancel"))

    def _leave(self) -> None:
        """Let the job clean up as after Ctrl-C; then go, whatever it does."""
        self._orders.put(None)
        if self._running is not None:
            self._cancel(self._running)
            time.sleep(_LAST_WORDS_S)
            os._exit(1)

    def _cancel(self, job_id: str | None) -> None:
        self._cancelled = job_id
        _interrupt()

    def _interrupted(self, *_: object) -> None:
        """Interrupt the job that is meant.

        This runs in the main thread, which alone says what is running: an order that comes when the
        job has ended hits neither the next one nor what follows the end.
        """
        if self._interruptible is not None and self._interruptible == self._cancelled:
            self._interruptible = None
            raise KeyboardInterrupt

    def _run(self, order: dict[str, Any]) -> tuple[str, str | None]:
        """Run a job and return how it ended; an interrupt comes once at most, and only within."""
        try:
            self._running = self._interruptible = order["run"]
            ended = self._outcome(order)
            self._interruptible = None
        except KeyboardInterrupt:
            ended = "cancelled", None
        self._running = None
        return ended

    def _outcome(self, order: dict[str, Any]) -> tuple[str, str | None]:
        try:
            with console.heard_by(self), extras.left_out():
                task_of(order["kind"], order["settings"]).run(self._workshop, order["run"])
        except UserError as mistake:
            return "failed", str(mistake)
        except OSError as failure:
            return "failed", words_of(failure)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return "failed", INTERNAL_ERROR
        return "done", None


def _interrupt() -> None:
    """Interrupt the main thread as Ctrl-C does, in system calls too."""
    if os.name == "nt":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)


def main(arguments: list[str]) -> None:
    """Run jobs for the studio in a folder, on a device."""
    folder, device = arguments
    wait_briefly()
    line = Line()
    Worker(line, Workshop.open(Path(folder), device)).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
