"""The region networks of one portrait with its codes multiplied in: all regions at once.

A portrait's codes are fixed, so frequency and phase of a sine layer join its weights and bias. The
layers of all regions and of the initial shape are then one batched product, and colours need no
features: both heads are linear, so they are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.systems.compose.region_network import FilmLayer, RegionNetwork
from triptych.systems.compose.region_networks import RegionNetworks, region_codes


@dataclass(frozen=True, eq=False)
class FoldedLinear:
    """One linear map for each region.

    Attributes:
        weight: [k, i, o].
        bias: [k, 1, o].
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, maps: list[tuple[Tensor, Tensor]]) -> FoldedLinear:
        """Stack maps with weights [o, i] and biases [o]."""
        weight = torch.stack([weight.T for weight, _ in maps]).contiguous()
        return cls(weight, torch.stack([bias[None] for _, bias in maps]))

    def __call__(self, x: Tensor) -> Tensor:
        """Return [k, n, o] of x [k, n, i]."""
        return torch.baddbmm(self.bias, x, self.weight)


@dataclass(frozen=True, eq=False)
class FoldedRegions:
    """All networks of a portrait; the initial shape's is the last one.

    Attributes:
        shape_layers: Sine layers of the shape codes.
        texture_layers: Sine layers of the texture codes.
        sdf: Head of the distance, of all networks.
        mask: Head of the mask, of the regions; it also reads the direction.
        rgb: Head of the raw colour, of the regions; likewise.
    """

    shape_layers: list[FoldedLinear]
    texture_layers: list[FoldedLinear]
    sdf: FoldedLinear
    mask: FoldedLinear
    rgb: FoldedLinear

    @classmethod
    @torch.no_grad()
    def of(cls, networks: RegionNetworks, codes: Tensor) -> FoldedRegions:
        """Fold the codes [1, 2 * regions, d] of one portrait into its networks."""
        regions = networks.networks()
        pairs = [region_codes(codes, index) for index in range(len(regions))]
        whole = [*regions, networks.init_network]
        shapes, textures = zip(*pairs, pairs[0], strict=True)

        def folded(name: str, steering: tuple[Tensor, ...]) -> list[FoldedLinear]:
            stacks = zip(*(getattr(network, name) for network in whole), strict=True)
            return [
                FoldedLinear.of([_folded(*each) for each in zip(stack, steering, strict=True)])
                for stack in stacks
            ]

        return cls(
            folded("shape_linears", shapes),
            folded("texture_linears", textures),
            FoldedLinear.of([_plain(network.sdf_linear) for network in whole]),
            FoldedLinear.of([_plain(network.mask_linears) for network in regions]),
            FoldedLinear.of([_colour_head(network) for network in regions]),
        )

    def distance(self, points: Tensor) -> Tensor:
        """Return the summed distance [n, 1] at normalised points [n, 3]."""
        return self.sdf(self._texture(self._shape(points))).sum(dim=0)

    def values(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return summed distance [n, 1], raw masks [k, n, 1] and raw colours [k, n, 3].

        Args:
            points: Normalised points [n, 3].
            directions: Directions that the networks see [n, 3].
        """
        shape = self._shape(points)
        texture = self._texture(shape)
        seen = directions.expand(self.mask.weight.shape[0], -1, -1)
        masks = self.mask(torch.cat([shape[:-1], seen], dim=-1))
        colours = self.rgb(torch.cat([texture[:-1], seen], dim=-1))
        return self.sdf(texture).sum(dim=0), masks, colours

    def _shape(self, points: Tensor) -> Tensor:
        x = points.expand(self.sdf.weight.shape[0], -1, -1)
        for layer in self.shape_layers:
            x = layer(x).sin_()
        return x

    def _texture(self, x: Tensor) -> Tensor:
        for layer in self.texture_layers:
            x = layer(x).sin_()
        return x


def _folded(layer: FilmLayer, code: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight [o, i] and bias [o] in front of the sine, for one code [1, d]."""
    frequency, phase = (value[0] for value in layer.modulation(code))
    return layer.weight * frequency[:, None], layer.bias * frequency + phase


def _plain(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    return linear.weight, linear.bias


def _colour_head(network: RegionNetwork) -> tuple[Tensor, Tensor]:
    """Return the colour head applied to the feature head."""
    features, rgb = network.feature_linear, network.rgb_linear
    return rgb.weight @ features.weight, rgb.weight @ features.bias + rgb.bias
