"""Small residual weights of the plane branch: what a custom edit adds to a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.errors import UserError, shown
from triptych.systems.edit.plane_branch import PlaneBranch


@dataclass(frozen=True, eq=False)
class ResidualWeights:
    """Residuals up @ down of low rank r for weight matrices, and shifts for biases.

    The weight of a convolution counts as a matrix [out, in * k * k].

    Attributes:
        up: Left factors [out, r] by the layer's name.
        down: Right factors [in * k * k, r] by the layer's name.
        shift: What is added to biases [out], by the layer's name.

    Reference:
        Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2022), section 4.1.
    """

    up: Mapping[str, Tensor]
    down: Mapping[str, Tensor]
    shift: Mapping[str, Tensor]

    @classmethod
    def untouched(cls, branch: PlaneBranch, rank: int, rng: torch.Generator) -> ResidualWeights:
        """Return residuals that change nothing yet: left factors and shifts are zero."""
        up, down, shift = {}, {}, {}
        for name, layer in _layers(branch).items():
            weight = layer.weight.detach().flatten(1)
            num_out, num_in = weight.shape
            up[name] = weight.new_zeros(num_out, rank)
            drawn = torch.randn(num_in, rank, generator=rng) * num_in**-0.5
            down[name] = drawn.to(weight)
            if layer.bias is not None:
                shift[name] = torch.zeros_like(layer.bias)
        return cls(up, down, shift)

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name, as files hold them."""
        return {
            f"{part}.{name}": tensor
            for part in ("up", "down", "shift")
            for name, tensor in getattr(self, part).items()
        }

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> ResidualWeights:
        """Return what `tensors` gave.

        Raises:
            UserError: A name is none of a residual.
        """
        parts: dict[str, dict[str, Tensor]] = {"up": {}, "down": {}, "shift": {}}
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            if part not in parts or not name:
                raise UserError(f"{shown(key)} is no residual weight of a custom edit")
            parts[part][name] = tensor
        return cls(**parts)

    def parameters_of(self, branch: PlaneBranch) -> dict[str, Tensor]:
        """Return a branch's parameters by name with the residuals added, with gradients.

        Raises:
            UserError: The residuals are not those of such a branch.
        """
        layers = _layers(branch)
        self._check(layers)
        changed: dict[str, Tensor] = {}
        for name, layer in layers.items():
            residual = (self.up[name] @ self.down[name].T).view_as(layer.weight)
            changed[f"{name}.weight"] = layer.weight + residual.to(layer.weight)
            if layer.bias is not None:
                changed[f"{name}.bias"] = layer.bias + self.shift[name].to(layer.bias)
        return changed

    def _check(self, layers: Mapping[str, nn.Conv2d | nn.Linear]) -> None:
        ranks = {tensor.shape[-1] for tensor in (*self.up.values(), *self.down.values())}
        rank = ranks.pop() if len(ranks) == 1 else -1
        own = {key: tuple(tensor.shape) for key, tensor in self.tensors().items()}
        wanted: dict[str, tuple[int, ...]] = {}
        for name, layer in layers.items():
            num_out, num_in = layer.weight.flatten(1).shape
            wanted |= {f"up.{name}": (num_out, rank), f"down.{name}": (num_in, rank)}
            if layer.bias is not None:
                wanted[f"shift.{name}"] = (num_out,)
        if own != wanted:
            wrong = sorted(
                key for key in own.keys() | wanted.keys() if own.get(key) != wanted.get(key)
            )
            raise UserError(
                f"the custom edit's residual {shown(wrong[0])} does not fit the network; use the "
                "model it was learned on, or learn it again"
            )


def _layers(branch: PlaneBranch) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the layers that get residuals; depthwise convolutions have nothing of low rank."""
    return {
        name: layer
        for name, layer in branch.named_modules()
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)
    }
