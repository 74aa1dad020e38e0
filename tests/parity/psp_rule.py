"""Weights of the 3dpsp_small reference numbers: a pure function of a tensor's place and name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

# Buffers that this package adds to the published networks; the rule does not count them.
_ADDED = ("latent_mean", "latent_std")


def rule_tensor(name: str, shape: tuple[int, ...], seed: int, *, is_batch_norm: bool) -> Tensor:
    """Return the tensor of a name by the rule in the README of the reference numbers."""
    r = np.random.RandomState(seed).standard_normal(shape)  # noqa: NPY002 - the rule's source
    if name.endswith("running_mean"):
        r = 0.1 * r
    elif name.endswith("running_var"):
        r = 1 + 0.5 * np.abs(r)
    elif len(shape) >= 2:
        if not name.endswith(".linear.weight"):
            r *= math.sqrt(1 / math.prod(shape[1:]))
    elif name.endswith("bias"):
        r = 0.1 * r
    else:
        r = 1 + 0.1 * r if is_batch_norm else 0.25 + 0.05 * r
    return torch.from_numpy(np.asarray(r, dtype=np.float32))


@torch.no_grad()
def fill_by_rule(
    module: nn.Module,
    base: int,
    *,
    order: Sequence[str] = (),
    published_name: Callable[[str], str] = str,
) -> None:
    """Overwrite the tensors of a module.

    Args:
        module: A network, or part of one.
        base: Seed of the first tensor.
        order: Names of all tensors of the whole network; the module's own when empty.
        published_name: From a name in the module to that in `order`.
    """
    state = {name: t for name, t in module.state_dict().items() if name not in _ADDED}
    place = {name: index for index, name in enumerate(order or state)}
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            tensor.zero_()
            continue
        seed = base + place[published_name(name)]
        is_batch_norm = f"{name.rpartition('.')[0]}.running_mean" in state
        tensor.copy_(rule_tensor(name, tuple(tensor.shape), seed, is_batch_norm=is_batch_norm))


def rule_image(seed: int, channels: int) -> Tensor:
    """Return the reference input [1, channels, 256, 256] of a seed."""
    numbers = np.random.RandomState(seed).standard_normal(  # noqa: NPY002 - the rule's source
        (1, channels, 256, 256)
    )
    return torch.from_numpy(numbers.astype(np.float32)).clamp(-1, 1)
