"""Half precision where the hardware multiplies it faster, full precision everywhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from triptych.errors import UserError

RenderPath = Literal["fast", "fast-float32", "exact"]
"""How pictures are computed: as published ("exact"); faster, equal up to rounding and invisible
samples ("fast-float32"); and with networks in bfloat16 where that is faster ("fast").
"""

PathTaken = Literal["exact", "fast-float32", "fast-bfloat16"]
"""Arithmetic with which a picture was rendered."""


NETWORK_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""What `to(device, dtype)` of a pipeline takes."""


def check_network_dtype(dtype: torch.dtype) -> None:
    """Raise UserError unless networks can compute in a dtype."""
    if dtype not in NETWORK_DTYPES:
        known = ", ".join(map(str, NETWORK_DTYPES))
        raise UserError(f"dtype: got {dtype}; expected one of {known}")


def fast_dtype(path: RenderPath, device: torch.device | str) -> torch.dtype:
    """Return the dtype of feature maps on a fast path."""
    half = path == "fast" and has_fast_bfloat16(device)
    return torch.bfloat16 if half else torch.float32


def has_fast_bfloat16(device: torch.device | str) -> bool:
    """Return whether a device multiplies bfloat16 matrices in hardware.

    Many processors accept bfloat16 but emulate it, which is slower than float32.
    """
    device = torch.device(device)
    if device.type == "cpu":
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    backend = getattr(torch, device.type, None)
    return bool(getattr(backend, "is_bf16_supported", lambda: False)())


def at_least_float32(x: Tensor) -> Tensor:
    """Return a tensor in float32 if its dtype is narrower or an integer, else in its own dtype."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def half_precision_where_fast(
    device: torch.device | str, enabled: bool = True
) -> AbstractContextManager[object]:
    """Return a context in which matrix products run in bfloat16 if that is faster here."""
    if enabled and has_fast_bfloat16(device):
        return torch.autocast(torch.device(device).type, torch.bfloat16)
    return nullcontext()
