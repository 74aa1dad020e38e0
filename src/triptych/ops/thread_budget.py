"""How many threads long work may use while other programs share the machine.

Two OpenMP threads beside one busy foreign process wait for each other at every barrier and run
several times slower than one thread does. The budget watches the processor time that other
processes use and drops to fewer threads while they are busy; OpenMP itself has no such setting.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import psutil
import torch

_BUSY_CORES = 0.45
_SECONDS_BETWEEN_READINGS = 4.0
_NOT_BUSY = ("idle", "iowait", "steal", "guest", "guest_nice")


@dataclass
class ThreadBudget:
    """Adapts torch's thread count to what other processes leave free.

    Attributes:
        maximum: Threads to use on a quiet machine.
        adaptive: False keeps the maximum whatever else runs.
    """

    maximum: int
    adaptive: bool = True
    _last: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0), repr=False)

    def start(self) -> None:
        """Set the maximum and take the first reading."""
        torch.set_num_threads(self.maximum)
        self._last = _counters()

    def adapt(self) -> int:
        """Read the load, at most every few seconds, and return the number of threads now in use."""
        if not self.adaptive or self.maximum == 1:
            return torch.get_num_threads()
        now = _counters()
        elapsed = now[0] - self._last[0]
        if elapsed < _SECONDS_BETWEEN_READINGS:
            return torch.get_num_threads()
        foreign = ((now[1] - self._last[1]) - (now[2] - self._last[2])) / elapsed
        self._last = now
        free = self.maximum - (foreign > _BUSY_CORES) * max(1, round(foreign))
        threads = max(1, int(free))
        if threads != torch.get_num_threads():
            torch.set_num_threads(threads)
        return threads


def _counters() -> tuple[float, float, float]:
    """Return wall time, busy seconds of the whole machine and of this process."""
    times = psutil.cpu_times()._asdict()
    busy = sum(seconds for state, seconds in times.items() if state not in _NOT_BUSY)
    own = os.times()
    return time.monotonic(), busy, own.user + own.system
