"""Where tensors and networks are, and moving what pipelines are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def move(part: Any, device: torch.device | str, dtype: torch.dtype | None = None) -> None:
    """Move a network, or an object with a method `to`, in place.

    Anything else, a plain function for instance, computes wherever its inputs are.
    """
    if hasattr(part, "to"):
        part.to(device) if dtype is None else part.to(device, dtype)


def device_of(network: nn.Module) -> torch.device:
    """Return where the parameters of a network are."""
    return next(network.parameters()).device


def in_cpu_memory(tensor: Tensor) -> bool:
    """Say whether a compiled kernel can read a tensor: plain numbers in the memory of the CPU.

    Tensors of other devices have theirs elsewhere, torch's fake tensors have none.
    """
    return tensor.device.type == "cpu" and type(tensor) in (Tensor, nn.Parameter)
