"""Region networks with the codes of portraits multiplied in: all of them at once.

For given codes, frequency and phase of a sine layer join its weights and bias. The layers of all
regions and of all portraits are then one batched product, and colours need no features: both heads
are linear, so they are one. Gradients reach the networks and the codes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from triptych.ops.sine import sine_of_sum
from triptych.systems.compose.region_network import FilmLayer, RegionNetwork, RegionTrunk


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """One sine layer for each network and portrait.

    Attributes:
        weight: [k * b, o, i]; in bfloat16, products are, and angles are summed in float32.
        bias: [k * b, o].
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, layers: Sequence[FilmLayer], codes: Sequence[Tensor]) -> FoldedLayer:
        """Fold k codes [b, d] into k layers."""
        weights, biases = [], []
        for layer, code in zip(layers, codes, strict=True):
            frequency, phase = layer.modulation(code)
            weights.append(layer.weight * frequency[..., None])
            biases.append(layer.bias * frequency + phase)
        return cls(torch.cat(weights), torch.cat(biases))

    def narrowed(self, dtype: torch.dtype) -> FoldedLayer:
        """Return the layer with its products in a dtype."""
        return replace(self, weight=self.weight.to(dtype))

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Return [k * b, n, o] of x [k * b, n, i]; without gradients it may be written to `out`."""
        weight = self.weight.transpose(1, 2)
        if weight.dtype == x.dtype:
            return sine_of_sum(torch.bmm(x, weight, out=out), self.bias)
        product = torch.bmm(x.to(weight.dtype), weight)
        return sine_of_sum(product.to(x.dtype) if out is None else out.copy_(product), self.bias)


@dataclass(frozen=True, eq=False)
class FoldedHead:
    """One linear map for each network, of its features and perhaps the direction.

    Attributes:
        weight: [k, o, h] or [k, o, h + 3].
        bias: [k, o].
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, maps: Sequence[tuple[Tensor, Tensor]]) -> FoldedHead:
        """Stack weights and biases."""
        return cls(torch.stack([w for w, _ in maps]), torch.stack([bias for _, bias in maps]))

    def __call__(self, features: Tensor, directions: Tensor | None = None) -> Tensor:
        """Return [k, b, n, o] of features [k * b, n, h] and directions [b, n, 3]."""
        of_networks = features.reshape(len(self.weight), -1, features.shape[-1])
        width = features.shape[-1]
        weight = self.weight[..., :width].transpose(1, 2)
        values = torch.baddbmm(self.bias[:, None], of_networks, weight)
        values = values.reshape(len(self.weight), -1, features.shape[1], self.weight.shape[1])
        if directions is None:
            return values
        return values + torch.einsum("bni,koi->kbno", directions, self.weight[..., width:])


@dataclass(frozen=True, eq=False)
class TrunkMemory:
    """Memory that layers write to in turn.

    Memory that is asked for anew, layer by layer, costs more time than the products.

    Attributes:
        values: [3, m]: two for layers to take turns in, one for the features of the shape.
        width: Features of a layer.
    """

    values: Tensor
    width: int

    def parts(self, groups: int, num_points: int) -> list[Tensor]:
        """Return the three as [groups, num_points, width]."""
        shape = (groups, num_points, self.width)
        return [values[: math.prod(shape)].view(shape) for values in self.values]


@dataclass(frozen=True, eq=False)
class FoldedNetworks:
    """k networks, for the codes of b portraits.

    Attributes:
        shape_layers: Sine layers of the shape codes.
        texture_layers: Sine layers of the texture codes.
        sdf: Head of the distance.
        mask: Head of the mask; it also reads the direction.
        rgb: Head of the raw colour; likewise.
        features: Head of the features; likewise.
    """

    shape_layers: list[FoldedLayer]
    texture_layers: list[FoldedLayer]
    sdf: FoldedHead
    mask: FoldedHead
    rgb: FoldedHead
    features: FoldedHead

    @classmethod
    def of(
        cls, networks: Sequence[RegionNetwork], codes: Sequence[tuple[Tensor, Tensor]]
    ) -> FoldedNetworks:
        """Fold a shape and a texture code [b, d] into each network."""
        shapes, textures = zip(*codes, strict=True)

        def folded(name: str, steering: tuple[Tensor, ...]) -> list[FoldedLayer]:
            stacks = zip(*(getattr(network, name) for network in networks), strict=True)
            return [FoldedLayer.of(stack, steering) for stack in stacks]

        return cls(
            folded("shape_linears", shapes),
            folded("texture_linears", textures),
            FoldedHead.of([_plain(network.sdf_linear) for network in networks]),
            FoldedHead.of([_plain(network.mask_linears) for network in networks]),
            FoldedHead.of([_colour_head(network) for network in networks]),
            FoldedHead.of([_plain(network.feature_linear) for network in networks]),
        )

    def narrowed(self, dtype: torch.dtype) -> FoldedNetworks:
        """Return the networks with the products of all layers in a dtype.

        The first one, which reads coordinates, and the heads stay as they are.
        """
        first, *others = self.shape_layers
        return replace(
            self,
            shape_layers=[first, *(layer.narrowed(dtype) for layer in others)],
            texture_layers=[layer.narrowed(dtype) for layer in self.texture_layers],
        )

    def trunk(self, points: Tensor, memory: TrunkMemory | None = None) -> RegionTrunk:
        """Return the features [k * b, n, h] of all networks at normalised points [b, n, 3].

        Args:
            points: Where.
            memory: Holds the features until it is used again; without gradients only.
        """
        x = points.repeat(len(self.sdf.weight), 1, 1)
        parts: list[Tensor | None] = [None] * 3
        if memory is not None:
            parts = [*memory.parts(*x.shape[:2])]
        turns = itertools.cycle(parts[:2])
        for layer in self.shape_layers[:-1]:
            x = layer(x, next(turns))
        of_shape = x = self.shape_layers[-1](x, parts[2])
        for layer in self.texture_layers:
            x = layer(x, next(turns))
        return RegionTrunk(of_shape, x)

    def memory(self, num_points: int) -> TrunkMemory:
        """Return memory for the trunk of so many points, or fewer, of all portraits together."""
        weight = self.sdf.weight
        size = len(weight) * num_points * weight.shape[-1]
        return TrunkMemory(weight.new_empty(3, size), weight.shape[-1])

    def distance(self, trunk: RegionTrunk) -> Tensor:
        """Return the summed distance [b, n, 1]."""
        return self.sdf(trunk.texture).sum(dim=0)


def _plain(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    return linear.weight, linear.bias


def _colour_head(network: RegionNetwork) -> tuple[Tensor, Tensor]:
    """Return the colour head applied to the feature head."""
    features, rgb = network.feature_linear, network.rgb_linear
    return rgb.weight @ features.weight, rgb.weight @ features.bias + rgb.bias
