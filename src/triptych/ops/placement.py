"""Where tensors and networks are, and moving what pipelines are made of."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def move(part: Any, device: torch.device | str, dtype: torch.dtype | None = None) -> None:
    """Move a network, or an object with a method `to`, in place.

    Anything else, a plain function for instance, computes wherever its inputs are.
    """
    if hasattr(part, "to"):
        part.to(device) if dtype is None else part.to(device, dtype)


def channels_last(network: Network) -> Network:
    """Store the weights of convolutions pixel by pixel, in place: faster on CPUs, the same values.

    Feature maps follow: what such a convolution returns has its channels last in memory too.
    """
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub


def device_of(network: nn.Module) -> torch.device:
    """Return where the parameters of a network are."""
    return next(network.parameters()).device


def in_cpu_memory(tensor: Tensor) -> bool:
    """Say whether a compiled kernel can read a tensor: plain numbers in the memory of the CPU.

    Tensors of other devices have theirs elsewhere, torch's fake tensors have none.
    """
    return tensor.device.type == "cpu" and type(tensor) in (Tensor, nn.Parameter)
