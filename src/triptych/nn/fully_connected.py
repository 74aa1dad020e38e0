"""A linear layer with equalised learning rate and an optional activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.ops.bias_act import Activation, bias_act
from triptych.ops.equalised_linear import equalised_linear


class FullyConnectedLayer(nn.Module):
    """Linear map [..., i] -> [..., o], then the activation with its gain.

    Args:
        num_in: Input features.
        num_out: Output features.
        activation: "lrelu" multiplies by sqrt(2) after the leaky ReLU.
        lr_multiplier: Equalised learning rate multiplier.
        bias: Initial bias.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        *,
        activation: Activation = "linear",
        lr_multiplier: float = 1.0,
        bias: float = 0.0,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.lr_multiplier = lr_multiplier
        self.weight = nn.Parameter(torch.randn(num_out, num_in, generator=rng) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([num_out], bias))

    def forward(self, x: Tensor) -> Tensor:
        x = equalised_linear(x, self.weight, self.bias, lr_multiplier=self.lr_multiplier)
        return bias_act(x, activation=self.activation)
