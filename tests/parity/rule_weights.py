"""Numbers that are a pure function of a name: full-size parity without a weight file.

The rule is written in the README of the eg3d_small reference numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

ROOT3 = math.sqrt(3.0)
Range = tuple[float, float]


def uniform01(key: str, tag: str, count: int) -> np.ndarray:
    """Return `count` numbers in [0, 1), float64."""
    seed = int.from_bytes(hashlib.sha256(f"{key}|{tag}".encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state ^= state >> np.uint64(30)
        state *= np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(27)
        state *= np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(40)).astype(np.float64) / 2.0**24


def rule(key: str, shape: tuple[int, ...], tag: str, low: float, high: float) -> Tensor:
    """Return a float32 tensor uniform in [low, high)."""
    values = low + (high - low) * uniform01(key, tag, math.prod(shape))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def eg3d_range(key: str) -> Range | None:
    """Return the range of a tensor of EG3D's networks; None leaves it untouched."""
    if key.endswith("resample_filter"):
        return None
    if key.endswith(("noise_const", "const")):
        return -ROOT3, ROOT3
    if key.endswith("noise_strength"):
        return -0.3, 0.3
    if key.endswith("affine.bias"):
        return 0.7, 1.3
    if key.endswith("bias"):
        return -0.3, 0.3
    if key.endswith("w_avg"):
        return -0.5, 0.5
    assert key.endswith("weight"), key
    spread = 100 * ROOT3 if "mapping" in key and ".fc" in key else ROOT3
    return -spread, spread


def fill_by_rule(
    module: nn.Module, tag: str, range_of: Callable[[str], Range | None] = eg3d_range
) -> None:
    """Overwrite all tensors of a module by the rule applied to their names."""
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            limits = range_of(key)
            if limits is not None:
                tensor.copy_(rule(key, tuple(tensor.shape), tag, *limits))
