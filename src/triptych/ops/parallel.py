"""Spreading compiled work, which releases the interpreter lock, over threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch


def in_parallel(work: Callable[[int, int], None], count: int, at_once: int) -> None:
    """Call work(start, stop) for consecutive parts of range(count), each part once.

    As many threads share the parts as torch may use; the calling thread is one of them. A thread
    that is done with a part takes the next one, so parts may differ in how long they take.

    Args:
        work: Must be safe to run on several parts at the same time.
        count: Number of items.
        at_once: Items per part.
    """
    starts = itertools.count(0, at_once)  # its next() is atomic

    def take_parts() -> None:
        for start in starts:
            if start >= count:
                return
            work(start, min(start + at_once, count))

    helpers = min(torch.get_num_threads(), -(-count // at_once)) - 1
    if helpers <= 0:
        take_parts()
        return
    pool = _pool(torch.get_num_threads() - 1)
    waiting = [pool.submit(take_parts) for _ in range(helpers)]
    take_parts()
    for other in waiting:
        other.result()


@lru_cache(maxsize=1)
def _pool(num_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_threads, thread_name_prefix="triptych")
