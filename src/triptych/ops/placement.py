"""Moving what pipelines are made of to a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def move(part: Any, device: torch.device | str) -> None:
    """Move a network, or an object with a method `to`, in place.

    Anything else, a plain function for instance, computes wherever its inputs are.
    """
    if hasattr(part, "to"):
        part.to(device)


def device_of(network: nn.Module) -> torch.device:
    """Return where the parameters of a network are."""
    return next(network.parameters()).device
