"""How many threads long work may use while other programs share the machine.

Two OpenMP threads beside one busy foreign process wait for each other at every barrier and run
several times slower than one thread does. The budget watches the processor time that other
processes use and drops to fewer threads while they are busy.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

_SYSTEM_COUNTERS = Path("/proc/stat")
_BUSY_CORES = 0.45
_SECONDS_BETWEEN_LOOKS = 4.0


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
        """Set the maximum and begin to watch."""
        torch.set_num_threads(self.maximum)
        self._last = _counters()

    def adapt(self) -> int:
        """Look at the load at most every few seconds and return the threads now in use."""
        if not self.adaptive or self.maximum == 1 or not _SYSTEM_COUNTERS.exists():
            return torch.get_num_threads()
        now = _counters()
        elapsed = now[0] - self._last[0]
        if elapsed < _SECONDS_BETWEEN_LOOKS:
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
    if not _SYSTEM_COUNTERS.exists():
        return time.monotonic(), 0.0, 0.0
    first_line = _SYSTEM_COUNTERS.read_text().split("\n", 1)[0]
    user, nice, system, _idle, _wait, irq, soft_irq, *_ = map(int, first_line.split()[1:9])
    busy = (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
    own = os.times()
    return time.monotonic(), busy, own.user + own.system
