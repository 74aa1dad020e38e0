"""The queue: jobs run one after the other; their records outlive the studio."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Any, Protocol

from triptych.errors import UserError
from triptych.files import json_values, read_json, write_json
from triptych.studio.job import ENDED, INTERNAL_ERROR, RESUMABLE, Job, State
from triptych.studio.workplace import Workplace, new_id

MOST_WAITING = 500
MOST_ENDED = 300
"""Records of ended jobs beyond it are removed, the oldest first; portraits stay."""
_MOST_NOTES = 20


class QueueFull(UserError):
    """Too many jobs wait."""


class JobFailed(Exception):
    """A job ended with an error, in words for a person."""


class JobCancelled(Exception):
    """A job ended because it was told to."""


class JobInterrupted(Exception):
    """The process of a job ended before it; it can go on."""


class Heard(Protocol):
    """Hears of a running job."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear how far it is."""

    def said(self, text: str) -> None:
        """Hear a note."""


class Runner(Protocol):
    """Runs one job at a time."""

    def run(self, job: Job, heard: Heard) -> None:
        """Return when the job is done.

        Raises:
            JobFailed: It failed.
            JobCancelled: It was told to end.
            JobInterrupted: Its process ended.
        """

    def cancel(self, job_id: str) -> None:
        """Tell a running job to end; others stay."""


class JobQueue:
    """Jobs in the order in which they came.

    Args:
        workplace: Where records are kept.
        runner: Runs them.
    """

    def __init__(self, workplace: Workplace, runner: Runner) -> None:
        self._workplace, self._runner = workplace, runner
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[str] = deque()
        self._cancelled: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="studio-queue", daemon=True)
        for path in workplace.job_records():
            with suppress(UserError):
                job = Job.from_record(read_json(path))
                if job is not None and job.id == path.stem:
                    self._jobs[job.id] = job

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def add(self, kind: str, settings: dict[str, Any], title: str) -> Job:
        """Put a job at the end of the queue.

        Raises:
            QueueFull: Too many wait.
        """
        with self._changed:
            self._check_room()
            job = Job(new_id(), kind, json_values(settings), title)
            self._jobs[job.id] = job
            self._queue(job)
            return job

    def resume(self, job_id: str) -> Job:
        """Queue a job again that ended without a result; it goes on from where it stopped.

        Raises:
            UserError: There is no such job, or it is no such one.
        """
        with self._changed:
            job = self.get(job_id)
            if job.state not in RESUMABLE:
                raise UserError(f"the job is {job.state}; only one that was stopped can go on")
            self._check_room()
            job.error, job.notes = None, []
            self._jobs.move_to_end(job_id)
            self._queue(job)
            return job

    def cancel(self, job_id: str) -> Job:
        """Take a job out of the queue, or tell it to end.

        Raises:
            UserError: There is no such job, or it has ended.
        """
        with self._changed:
            job = self.get(job_id)
            if job.state in ENDED:
                raise UserError(f"the job is {job.state} already")
            if job.state == "waiting":
                self._waiting.remove(job_id)
                self._end(job, "cancelled")
                return job
            self._cancelled.add(job_id)
        self._runner.cancel(job_id)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UserError: There is no such job.
        """
        with self._changed:
            if job_id not in self._jobs:
                raise UserError(f"there is no job {job_id}")
            return self._jobs[job_id]

    def status(self, job_id: str) -> dict[str, Any]:
        """Return what clients see of a job; see `get`."""
        with self._changed:
            return self._status(self.get(job_id), self._places())

    def statuses(self, most: int) -> list[dict[str, Any]]:
        """Return what clients see of the newest jobs and of all that have not ended."""
        with self._changed:
            newest = list(self._jobs.values())[::-1]
            seen = [
                job for index, job in enumerate(newest) if index < most or job.state not in ENDED
            ]
            places = self._places()
            return [self._status(job, places) for job in seen]

    def stop(self) -> None:
        """Begin no more jobs."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Begin no more jobs, and wait for the end of the running one, which its runner brings."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _check_room(self) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise QueueFull(f"{MOST_WAITING} jobs wait already; try again when some are done")

    def _queue(self, job: Job) -> None:
        job.state = "waiting"
        self._waiting.append(job.id)
        self._keep(job)
        self._changed.notify_all()

    def _places(self) -> dict[str, int]:
        """Return how many jobs are before each one that waits."""
        return {job_id: place for place, job_id in enumerate(self._waiting)}

    def _status(self, job: Job, places: dict[str, int]) -> dict[str, Any]:
        before = places.get(job.id)
        return {**job.status(), "before": before, "seconds_left": self._seconds_left(job)}

    def _seconds_left(self, job: Job) -> float | None:
        """Return what is left if the job takes as long as the newest one like it that was done.

        A job that takes longer has what is left of its stage.
        """
        if job.state != "running":
            return None
        for other in reversed(self._jobs.values()):
            if other.state == "done" and _pace(other) == _pace(job):
                if other.seconds > job.elapsed():
                    return round(other.seconds - job.elapsed(), 1)
                break
        return job.status()["stage_seconds_left"]

    def _work(self) -> None:
        while (job := self._next()) is not None:
            state, error = self._outcome(job)
            with self._changed:
                job.error = error
                self._cancelled.discard(job.id)
                self._end(job, state)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            job = self._jobs[self._waiting.popleft()]
            job.state, job.started = "running", time.monotonic()
            job.progress = type(job.progress)()
            self._keep(job)
            return job

    def _outcome(self, job: Job) -> tuple[State, str | None]:
        try:
            self._runner.run(job, _Listening(job, self))
        except JobFailed as error:
            return "failed", str(error)
        except JobCancelled:
            return "cancelled", None
        except JobInterrupted as error:
            if job.id in self._cancelled:
                return "cancelled", None
            return "interrupted", str(error)
        except Exception:  # one job must not end the queue
            traceback.print_exc(file=sys.stderr)
            return "failed", INTERNAL_ERROR
        return "done", None

    def _end(self, job: Job, state: State) -> None:
        job.seconds, job.started, job.state = job.elapsed(), None, state
        self._keep(job)
        ended = [other.id for other in self._jobs.values() if other.state in ENDED]
        for old in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._jobs[old]
            self._workplace.forget_job(old)
        self._changed.notify_all()

    def _keep(self, job: Job) -> None:
        with suppress(UserError, OSError):  # a full disk must not stop the queue
            write_json(self._workplace.job_record(job.id), job.record())


def _pace(job: Job) -> tuple[Any, ...]:
    """Return what decides how long a job takes; portraits, words and seeds hardly do."""
    return (job.kind, *map(job.settings.get, ("quality", "method", "refine", "formats", "count")))


class _Listening:
    """Writes what is heard of a job into it."""

    def __init__(self, job: Job, queue: JobQueue) -> None:
        self._job, self._queue = job, queue

    def progress(self, stage: str, done: int, total: int) -> None:
        with self._queue._changed:
            self._job.progress.heard(stage, done, total)

    def said(self, text: str) -> None:
        with self._queue._changed:
            if len(self._job.notes) < _MOST_NOTES and text not in self._job.notes:
                self._job.notes.append(text)
