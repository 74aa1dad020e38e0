"""The published perceptual distance LPIPS (version 0.1), from weight files that the user has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.metrics.perceptual import lpips_distance
from triptych.nn.alexnet import AlexNetFeatures
from triptych.nn.vgg import LPIPS_TAPS, VGG16Features

LpipsStack = Literal["alexnet", "vgg16"]

# ImageNet's mean and deviation carried over to images in [-1, 1] (LPIPS's scaling layer).
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class LpipsDistance(nn.Module):
    """LPIPS over AlexNet (the usual measure) or VGG16 (the usual loss); frozen.

    Needs two files: the stack's classification weights and the heads, whose names are
    `linK.model.1.weight` [1, c, 1, 1].

    Args:
        stack: Whose features are compared.

    Reference: Zhang et al., The Unreasonable Effectiveness of Deep Features (2018).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, stack: LpipsStack = "alexnet") -> None:
        super().__init__()
        self.stack = stack
        self.network: AlexNetFeatures | VGG16Features
        self.network = AlexNetFeatures() if stack == "alexnet" else VGG16Features(LPIPS_TAPS)
        self.network.requires_grad_(False).eval()
        self.register_buffer("shift", torch.tensor(_SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(3, 1, 1), persistent=False)
        for index, channels in enumerate(self.network.channels.values()):
            self.register_buffer(f"lin{index}", torch.zeros(channels), persistent=True)

    @classmethod
    def from_states(
        cls,
        network_state: Mapping[str, Tensor],
        heads_state: Mapping[str, Tensor],
        stack: LpipsStack = "alexnet",
    ) -> LpipsDistance:
        """Build the distance from the tensors of the two public files.

        Args:
            network_state: Classification weights (`features.0.weight` ...).
            heads_state: LPIPS v0.1 heads (`lin0.model.1.weight` ...).
            stack: What the files are of.

        Raises:
            UserError: A tensor is missing or has another shape.
        """
        distance = cls(stack)
        distance.network.load_public(network_state)
        for index, channels in enumerate(distance.network.channels.values()):
            name = f"lin{index}.model.1.weight"
            if name not in heads_state or heads_state[name].shape != (1, channels, 1, 1):
                raise UserError(
                    f"not a head file of LPIPS v0.1 for {stack}: {name} with shape "
                    f"{(1, channels, 1, 1)} is missing or has another shape"
                )
            distance.get_buffer(f"lin{index}").copy_(heads_state[name].flatten())
        return distance

    @classmethod
    def from_files(
        cls, network_path: str | Path, heads_path: str | Path, stack: LpipsStack = "alexnet"
    ) -> LpipsDistance:
        """Build the distance from the two public files."""
        from triptych.weights import read_tensors

        return cls.from_states(read_tensors(network_path), read_tensors(heads_path), stack)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance [b] of images [b, 3, h, w] in [-1, 1]."""
        features = [self.network((image - self.shift) / self.scale) for image in (first, second)]
        weights = {
            tap: self.get_buffer(f"lin{index}") for index, tap in enumerate(self.network.taps)
        }
        return lpips_distance(features[0], features[1], weights)
