"""Inception v3 with weights that are a pure function of their names, and a picture for it.

Works on every module with torchvision's names; names without a rule here stay as they are.
"""

from __future__ import annotations

import math

import torch
from rule_weights import Range, rule
from torch import Tensor, nn

TAG = "inception"
_NORM: dict[str, Range] = {
    "bn.weight": (0.5, 1.5),
    "bn.bias": (-0.3, 0.3),
    "bn.running_mean": (-0.3, 0.3),
    "bn.running_var": (0.5, 1.5),
}


@torch.no_grad()
def fill_inception(network: nn.Module) -> None:
    """Give convolutions He's deviation and batch norms statistics that are not trivial."""
    for key, tensor in network.state_dict().items():
        if key.endswith("conv.weight"):
            bound = math.sqrt(6 / tensor[0].numel())
            tensor.copy_(rule(key, tuple(tensor.shape), TAG, -bound, bound))
        for ending, limits in _NORM.items():
            if key.endswith(ending):
                tensor.copy_(rule(key, tuple(tensor.shape), TAG, *limits))


def picture() -> Tensor:
    """Return one picture [1, 3, 40, 40] in [-1, 1]."""
    return rule("picture", (1, 3, 40, 40), TAG, -1.0, 1.0)
