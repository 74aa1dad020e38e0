from __future__ import annotations

import threading

import pytest
import torch

from triptych.ops.parallel import in_parallel


@pytest.fixture(params=[1, 2, 3])
def num_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "at_once"), [(0, 4), (1, 4), (4, 4), (5, 4), (23, 2)])
def test_every_item_is_worked_on_once(num_threads, count, at_once):
    seen, lock = [], threading.Lock()

    def work(start, stop):
        assert stop - start <= at_once
        with lock:
            seen.extend(range(start, stop))

    in_parallel(work, count, at_once)
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("failing", [0, 40])
def test_errors_come_out(num_threads, failing):
    def work(start, stop):
        if start == failing:
            raise ArithmeticError(f"part {start}")

    with pytest.raises(ArithmeticError, match=f"part {failing}"):
        in_parallel(work, 100, 1)
