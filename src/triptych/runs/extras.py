"""Whether jobs leave a video and a mesh beside the portrait that they make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WANTED: ContextVar[bool] = ContextVar("extras", default=True)


def wanted() -> bool:
    """Say whether they are."""
    return _WANTED.get()


@contextmanager
def left_out() -> Iterator[None]:
    """Leave them out: for a front end that shows portraits itself and exports what is asked for."""
    before = _WANTED.set(False)
    try:
        yield
    finally:
        _WANTED.reset(before)
