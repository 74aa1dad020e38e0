"""Output of the command line: results on stdout; notes, warnings and progress on stderr.

Texts of files may be in it: what a terminal would obey instead of showing is escaped. A front end
without a terminal hears notes and progress itself; see `heard_by`.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from triptych.errors import printable
from triptych.progress import Progress, Step, count_steps

PLAIN_LINE_EVERY_S = 10.0
"""Where stderr is not a terminal, progress is a line this often."""

_Show = Callable[[str, int, int, bool], None]
"""A `Progress` with one more argument: whether the stage begins, for the first time or anew."""


class Listener(Protocol):
    """Hears what would be written to stderr."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear how far the work is."""

    def said(self, text: str) -> None:
        """Hear a note or a warning."""


_listener: Listener | None = None


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Give notes, warnings and progress to a listener, in all threads, instead of to stderr."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def escape_what_cannot_be_encoded() -> None:
    """Let stdout and stderr take any text, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def result(text: str) -> None:
    """Write a result, for scripts to read."""
    sys.stdout.write(printable(text) + "\n")


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; columns are as wide as their longest cell."""
    lines = [list(titles), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        result("  ".join(cells).rstrip())


def note(text: str) -> None:
    """Write a note for a person; scripts do not read it."""
    _say(text)


def warn(text: str) -> None:
    """Warn that something was ignored, replaced or will be of lower quality."""
    _say(f"warning: {text}")


def fail(text: str) -> None:
    """Write an error message on one line."""
    _say("triptych: " + " ".join(text.split()))


@contextmanager
def noted_warnings(category: type[Warning]) -> Iterator[None]:
    """Write Python's warnings of one category as notes, each once, without the line of code."""
    show = warnings.showwarning

    def note_it(message: Any, kind: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(kind, category):
            note(f"note: {message}")
        else:
            show(message, kind, *place, **more)

    warnings.showwarning = note_it  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = show


def _say(text: str) -> None:
    if _listener is not None:
        _listener.said(printable(text))
        return
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


@contextmanager
def progress(stage: str, total: int) -> Iterator[Step]:
    """Show how far one piece of work is; yields `step(count=1)`, to be called after each step."""
    with stages() as report:
        yield count_steps(report, stage, total)


@contextmanager
def stages() -> Iterator[Progress]:
    """Show how far work of several stages is, with the time left in each.

    A terminal gets a bar per stage; anything else gets a line now and then. A stage of which less
    is done than before has begun anew, for the next head for instance. Whenever something is said,
    the work may also be moved to fewer or more threads; see `runs.waiting_threads`.
    """
    from triptych.runs.waiting_threads import adapted_threads

    reached: dict[str, int] = {}
    with adapted_threads() as adapt, _shown() as show:

        def report(stage: str, done: int, total: int) -> None:
            adapt()
            begins = done < reached.get(stage, done + 1)
            reached[stage] = done
            show(stage, done, total, begins)

        yield report


def _shown() -> AbstractContextManager[_Show]:
    if _listener is not None:
        listener = _listener
        return nullcontext(lambda stage, done, total, begins: listener.progress(stage, done, total))
    return _bars() if sys.stderr.isatty() else _lines()


@contextmanager
def _bars() -> Iterator[_Show]:
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    tasks: dict[str, rich_progress.TaskID] = {}
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as display:

        def show(stage: str, done: int, total: int, begins: bool) -> None:
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=total)
            elif begins:
                display.reset(tasks[stage])
            display.update(tasks[stage], completed=done, total=total)

        yield show


@contextmanager
def _lines() -> Iterator[_Show]:
    began: dict[str, tuple[float, int]] = {}
    last_line = time.monotonic()

    def show(stage: str, done: int, total: int, begins: bool) -> None:
        nonlocal last_line
        now = time.monotonic()
        if begins:
            began[stage] = now, done
        start, first = began[stage]
        if done == total or now - last_line >= PLAIN_LINE_EVERY_S:
            last_line = now
            _say(progress_line(stage, done, total, now - start, first))

    yield show


def progress_line(stage: str, done: int, total: int, elapsed_s: float, first: int = 0) -> str:
    """Return one plain line of progress, with an estimate of the time left.

    Args:
        stage: What is being done.
        done: How much of it is done.
        total: How much there is.
        elapsed_s: Seconds since it began.
        first: How much was done then, by an earlier run.
    """
    line = f"{stage}: {done}/{total}, {elapsed_s:.0f} s"
    if first < done < total:
        line += f", about {elapsed_s / (done - first) * (total - done):.0f} s left"
    return line
