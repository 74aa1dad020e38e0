"""How work reports how far it is: by stages with counts, or step by step within one stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, how much of it is done, and how much there is."""

CountProgress = Callable[[int, int], None]
"""Called with how much is done and how much there is, by work of a single stage."""


@runtime_checkable
class Step(Protocol):
    """Called after each step of one stage, or after several at once."""

    def __call__(self, count: int = 1, /) -> None:
        """Say that `count` more steps are done."""


def no_progress(*_: object) -> None:
    """Report nothing; stands for any of the types above."""


def count_steps(progress: Progress, stage: str, total: int) -> Step:
    """Report the begin of a stage and return the function that reports each further step.

    Args:
        progress: Receives the reports.
        stage: Name of the stage.
        total: How many steps it has.
    """
    done = 0
    progress(stage, done, total)

    def step(count: int = 1, /) -> None:
        nonlocal done
        done += count
        progress(stage, done, total)

    return step
