"""How long the threads of one computation wait awake for each other.

After each parallel loop GNU OpenMP, which torch uses on Linux, keeps a thread spinning for some
milliseconds in case the next loop comes at once. Beside another busy program that is the processor
time which the thread it waits for would need. A tenth of it loses nothing on a quiet machine.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SPINS = 20_000  # about a tenth of GNU OpenMP's own choice
_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say so to OpenMP, unless the user has chosen; it must not have been loaded yet."""
    if not any(name in environment for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = str(SPINS)
