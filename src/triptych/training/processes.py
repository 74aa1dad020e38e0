"""Sums and means over the processes that torchrun starts; of one process, the value itself."""

from __future__ import annotations

import torch
from torch import Tensor


def several_processes() -> bool:
    """Say whether several processes train together."""
    distributed = torch.distributed
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum of every process's values, without gradients; all have to call it."""
    if not several_processes():
        return values
    total = values.clone().contiguous()
    torch.distributed.all_reduce(total)
    return total


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean of every process's values, without gradients; all have to call it."""
    if not several_processes():
        return values
    return sum_over_processes(values) / torch.distributed.get_world_size()
