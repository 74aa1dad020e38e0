"""The queue's runner: a worker process that is started anew when it dies."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from triptych.studio.child import Child, ChildEnded
from triptych.studio.job import Job
from triptych.studio.job_queue import Heard, JobCancelled, JobFailed, JobInterrupted

GRACE_S = 20.0
"""A job that was told to end and does not within it is killed."""
_LOOK_S = 0.5


class WorkerProcess:
    """Runs one job at a time in a child process.

    Args:
        folder: The studio's folder.
        device: Where networks compute.
        grace_s: See `GRACE_S`.
        module: The program that runs there.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        *,
        grace_s: float = GRACE_S,
        module: str = "triptych.studio.worker",
    ) -> None:
        self._arguments, self._grace_s, self._module = (str(folder), device), grace_s, module
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._told: tuple[str, float] | None = None

    def start(self) -> None:
        """Start the process, so that the first job finds its libraries loaded."""
        with self._lock:
            if self._child is None:
                self._child = Child(self._module, self._arguments)

    def run(self, job: Job, heard: Heard) -> None:
        """Run a job; see `job_queue.Runner`."""
        self.start()
        child = self._child
        assert child is not None
        try:
            child.send({"run": job.id, "kind": job.kind, "settings": job.settings})
            while True:
                message = child.receive(_LOOK_S)
                if message is None:
                    self._kill_if_deaf(job.id, child)
                elif "progress" in message:
                    heard.progress(*message["progress"])
                elif "said" in message:
                    heard.said(message["said"])
                elif "ended" in message:
                    break
        except ChildEnded as error:
            self._drop()
            raise JobInterrupted(f"the job was stopped: {error}; it can go on") from error
        finally:
            self._told = None
        if message["ended"] == "cancelled":
            raise JobCancelled
        if message["ended"] == "failed":
            raise JobFailed(message["error"])

    def cancel(self, job_id: str) -> None:
        """Tell the process to end a job, if it is that one."""
        with self._lock:
            if self._child is None:
                return
            self._told = (job_id, time.monotonic())
            try:
                self._child.send({"cancel": job_id})
            except ChildEnded:
                return

    def close(self) -> None:
        """End the process at once."""
        self._drop()

    def _kill_if_deaf(self, job_id: str, child: Child) -> None:
        told = self._told
        if told and told[0] == job_id and time.monotonic() - told[1] > self._grace_s:
            child.kill()

    def _drop(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._child = None
