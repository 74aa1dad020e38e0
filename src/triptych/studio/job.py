"""A job: what was asked for, and how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, get_args

State = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
STATES: tuple[str, ...] = get_args(State)
ENDED = ("done", "failed", "cancelled", "interrupted")
RESUMABLE = ("failed", "cancelled", "interrupted")
"""What ended without a result; "interrupted": the studio or the job's process was stopped."""


INTERNAL_ERROR = "an internal error; the studio's terminal has the details"


def words_of(error: OSError) -> str:
    """Return what to tell a person of an error of the system."""
    return f"{error.strerror or error}; is the disk full?"


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass
class Progress:
    """How far a running job is.

    Attributes:
        stage: What is being done.
        done: How much of it.
        total: How much there is.
        began: When its second step began, by `time.monotonic()`, with how much was done then. The
            first one is left out: it loads models and compiles kernels.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    began: tuple[float, int] | None = None

    def heard(self, stage: str, done: int, total: int) -> None:
        """Take in a report."""
        if stage != self.stage or done < self.done:
            self.began = None
        elif self.began is None and done > self.done:
            self.began = (time.monotonic(), done)
        self.stage, self.done, self.total = stage, done, total

    def seconds_left(self) -> float | None:
        """Return what is left of this stage at the pace so far; None where nothing is known."""
        if self.began is None or not self.began[1] < self.done < self.total:
            return None
        start, first = self.began
        return (time.monotonic() - start) / (self.done - first) * (self.total - self.done)


@dataclass
class Job:
    """One job of the queue.

    Attributes:
        id: Its identifier, also that of the portrait that it makes.
        kind: Name of its task.
        settings: The task's fields.
        title: What a person calls it.
        state: See `State`.
        created: UTC, ISO 8601.
        seconds: How long it has run, in all tries.
        error: Why it failed, in words.
        notes: What was said on the way.
        progress: How far it is.
        started: When it began to run, by `time.monotonic()`; None while it does not.
    """

    id: str
    kind: str
    settings: dict[str, Any]
    title: str
    state: State = "waiting"
    created: str = field(default_factory=now)
    seconds: float = 0.0
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    started: float | None = None

    def elapsed(self) -> float:
        """Return the seconds that it has run."""
        running = 0.0 if self.started is None else time.monotonic() - self.started
        return self.seconds + running

    def record(self) -> dict[str, Any]:
        """Return what is kept on disk, as JSON values."""
        names = ("id", "kind", "settings", "title", "state", "created", "error", "notes")
        return {name: getattr(self, name) for name in names} | {"seconds": round(self.elapsed(), 1)}

    def status(self) -> dict[str, Any]:
        """Return what clients see, as JSON values."""
        left = self.progress.seconds_left() if self.state == "running" else None
        return {
            **self.record(),
            "stage": self.progress.stage,
            "done": self.progress.done,
            "total": self.progress.total,
            "stage_seconds_left": None if left is None else round(left, 1),
            "resumable": self.state in RESUMABLE,
        }

    @classmethod
    def from_record(cls, record: Any) -> Job | None:
        """Return the job of a record, or None if it is none; what ran or waited is interrupted."""
        if not isinstance(record, dict):
            return None
        texts = [record.get(name) for name in ("id", "kind", "title", "state", "created")]
        settings, seconds = record.get("settings"), record.get("seconds")
        if not all(isinstance(text, str) for text in texts) or record["state"] not in STATES:
            return None
        if not isinstance(settings, dict) or not isinstance(seconds, int | float):
            return None
        error, notes = record.get("error"), record.get("notes")
        return cls(
            id=record["id"],
            kind=record["kind"],
            settings=settings,
            title=record["title"],
            state=record["state"] if record["state"] in ENDED else "interrupted",
            created=record["created"],
            seconds=float(seconds),
            error=error if isinstance(error, str) else None,
            notes=[note for note in notes if isinstance(note, str)]
            if isinstance(notes, list)
            else [],
        )
