"""Adam whose steps are small where gradients are: for planes, of which rays meet few places."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_EPSILON = 1e-8


def damped_epsilon(optimiser: torch.optim.Optimizer, tensor: Tensor, share: float) -> float:
    """Return an epsilon of Adam: a share of the root mean square of a tensor's gradients so far.

    Adam goes a whole step wherever there is any gradient. Places that few points see, or on
    whose value those points disagree, would be noise.

    Args:
        optimiser: Adam.
        tensor: One of those it changes.
        share: 0 leaves the usual epsilon.
    """
    state = optimiser.state.get(tensor)
    if not state or not share:
        return _EPSILON
    (group,) = (
        group
        for group in optimiser.param_groups
        if any(tensor is parameter for parameter in group["params"])
    )
    unbiased = 1 - group["betas"][1] ** float(state["step"])
    return share * math.sqrt(float(state["exp_avg_sq"].mean()) / unbiased) + _EPSILON
