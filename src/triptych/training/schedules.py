"""What changes over a training run: the learning rate and the moving average of the weights.

Torch's own schedulers count steps, but a run's budget may be time; its `AveragedModel` copies the
weights at the first update instead of averaging from the start.
"""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def warmup_cosine(step: int, fraction: float, *, warmup_steps: int, final: float) -> float:
    """Return the factor on the peak learning rate: linear warm-up, then a cosine.

    Args:
        step: Steps done so far in this run.
        fraction: Spent fraction of the run's budget, 0 to 1.
        warmup_steps: Steps of the warm-up.
        final: Factor at the end of the budget.
    """
    warm = min(1.0, (step + 1) / max(1, warmup_steps))
    cosine = 0.5 + 0.5 * math.cos(math.pi * fraction)
    return warm * (final + (1 - final) * cosine)


def frozen_copy(network: Network) -> Network:
    """Return a copy in evaluation mode without gradients, to hold the average weights."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update_average(averaged: nn.Module, network: nn.Module, *, step: int, decay: float) -> None:
    """Move an exponential moving average of weights towards the current ones; copy the buffers.

    Args:
        averaged: The average, a `frozen_copy`; changed in place.
        network: The network in training.
        step: Optimiser steps done, from 1; the decay grows from 0.18 towards its limit.
        decay: Limit of the decay.
    """
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)
    for kept, current in zip(averaged.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
