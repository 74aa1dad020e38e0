"""How long the threads of one computation wait awake for each other.

After each parallel loop GNU OpenMP, which torch uses on Linux, keeps a thread spinning for some
milliseconds in case the next loop comes at once. Beside another busy program that is the processor
time which the thread it waits for would need. A tenth of it loses nothing on a quiet machine.
Long work goes further and leaves threads out while other programs keep their cores busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager

SPINS = 20_000  # about a tenth of GNU OpenMP's own choice
_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say so to OpenMP, unless the user has chosen; it must not have been loaded yet."""
    if not any(name in environment for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = str(SPINS)


@contextmanager
def adapted_threads(environment: Mapping[str, str] = os.environ) -> Iterator[Callable[[], object]]:
    """Yield what is to be called between steps of long work: it adapts torch's thread count.

    A user who has chosen the number by OMP_NUM_THREADS keeps it. Afterwards all threads are back.
    """
    import torch

    from triptych.ops.thread_budget import ThreadBudget

    threads = torch.get_num_threads()
    budget = ThreadBudget(threads, adaptive="OMP_NUM_THREADS" not in environment)
    budget.start()
    try:
        yield budget.adapt
    finally:
        torch.set_num_threads(threads)
