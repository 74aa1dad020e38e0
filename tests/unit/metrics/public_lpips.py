"""LPIPS's two public files with random numbers in them."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.nn.alexnet import AlexNetFeatures
from triptych.nn.vgg import VGG16Features

STACKS = {"alexnet": AlexNetFeatures, "vgg16": VGG16Features}


def public_files(stack: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return random weights under the names of the two public files."""
    generator = torch.Generator().manual_seed(0)
    network = STACKS[stack]()
    weights = {
        name: torch.randn(value.shape, generator=generator) * (2 / max(1, value[0].numel())) ** 0.5
        for name, value in network.state_dict().items()
    }
    heads = {
        f"lin{index}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator)
        for index, channels in enumerate(network.channels.values())
    }
    return weights, heads
