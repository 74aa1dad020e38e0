"""Threads are left out while other programs are busy."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch

from triptych.ops import thread_budget
from triptych.ops.thread_budget import ThreadBudget
from triptych.runs.waiting_threads import adapted_threads


@pytest.fixture
def machine(monkeypatch) -> Iterator[list[tuple[float, float, float]]]:
    """Readings of the clock, of the whole machine's busy seconds and of this process's, in turn."""
    readings: list[tuple[float, float, float]] = []
    monkeypatch.setattr(thread_budget, "_counters", lambda: readings.pop(0))
    before = torch.get_num_threads()
    yield readings
    torch.set_num_threads(before)


def test_one_thread_is_never_taken_away(machine):
    machine += [(0.0, 0.0, 0.0), (10.0, 40.0, 0.0)]
    budget = ThreadBudget(maximum=1)
    budget.start()
    assert budget.adapt() == 1


def test_a_busy_neighbour_takes_its_threads_and_a_quiet_machine_gives_them_back(machine):
    # Of ten seconds others used 10, then 20, then 2: one core, two cores, a fifth of one.
    machine += [(0.0, 0.0, 0.0), (10.0, 40.0, 30.0), (20.0, 80.0, 50.0), (30.0, 120.0, 88.0)]
    budget = ThreadBudget(maximum=4)
    budget.start()
    assert [budget.adapt() for _ in range(3)] == [3, 2, 4]
    assert torch.get_num_threads() == 4


def test_it_looks_only_every_few_seconds(machine):
    machine += [(0.0, 0.0, 0.0), (1.0, 4.0, 0.0), (9.0, 36.0, 0.0)]
    budget = ThreadBudget(maximum=2)
    budget.start()
    assert budget.adapt() == 2
    assert budget.adapt() == 1


def test_commands_adapt_unless_the_user_has_chosen_and_give_all_threads_back(machine):
    torch.set_num_threads(2)
    machine += [(0.0, 0.0, 0.0), (10.0, 20.0, 0.0), (0.0, 0.0, 0.0)]
    with adapted_threads({}) as adapt:
        adapt()
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with adapted_threads({"OMP_NUM_THREADS": "2"}) as adapt:
        adapt()
        assert torch.get_num_threads() == 2


def test_the_counters_see_this_process_work():
    """Between two readings this process is busy: both counters rise, the machine's no less."""
    first = thread_budget._counters()
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    wall, busy, own = (
        after - before for before, after in zip(first, thread_budget._counters(), strict=True)
    )
    assert 0.25 < own < wall + 0.1
    assert busy > 0.2
