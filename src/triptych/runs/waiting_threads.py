"""Thread settings for commands that share the machine with other programs.

After each parallel loop GNU OpenMP, which torch uses on Linux, keeps its threads spinning for some
milliseconds in case the next loop follows at once. Beside another busy program that takes processor
time from the thread they wait for. A tenth of that spinning costs nothing on a quiet machine. Long
work also uses fewer threads while other programs are busy (`ops.thread_budget`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager

SPINS = 20_000  # about a tenth of GNU OpenMP's own choice
_USER_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Shorten OpenMP's spinning unless the user has set it; call this before torch is imported."""
    if not any(name in environment for name in _USER_SETTINGS):
        environment["GOMP_SPINCOUNT"] = str(SPINS)


@contextmanager
def adapted_threads(environment: Mapping[str, str] = os.environ) -> Iterator[Callable[[], object]]:
    """Yield a function that adapts torch's thread count; long work calls it between steps.

    OMP_NUM_THREADS, where the user has set it, fixes the number. At the end the first number is
    restored.
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
