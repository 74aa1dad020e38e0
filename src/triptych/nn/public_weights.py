"""Loading of public weight files into networks with the same parameter names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from triptych.errors import UserError


@torch.no_grad()
def load_public_tensors(module: nn.Module, state: Mapping[str, Tensor], kind: str) -> None:
    """Copy the tensors that a network has from a public file; others in the file are ignored.

    Args:
        module: The network; half-precision tensors become its own type.
        state: Tensors of the file by name.
        kind: What the file should have been, for the message: "VGG16", for instance.

    Raises:
        UserError: A tensor is missing or has another shape.
    """
    # Counters of training steps say nothing about the network; old files lack them.
    own = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if wrong:
        raise UserError(
            f"not a weight file of {kind}: {len(wrong)} of {len(own)} tensors are missing or have "
            f"another shape, the first is {wrong[0]} {tuple(own[wrong[0]].shape)}"
        )
    for name, tensor in own.items():
        tensor.copy_(state[name])
