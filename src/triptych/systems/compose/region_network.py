"""The network of one region: sine layers whose phase and frequency follow two style codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FREQUENCY, _FREQUENCY_GAIN, _PHASE_GAIN = 30.0, 15.0, 0.25


@dataclass(frozen=True, eq=False)
class RegionTrunk:
    """What a region network knows of points before its heads.

    Attributes:
        shape: Features that follow the shape code [b, n, h].
        texture: Features that follow both codes [b, n, h].
    """

    shape: Tensor
    texture: Tensor


@dataclass(frozen=True, eq=False)
class RegionValues:
    """What a region network says of points.

    Attributes:
        rgb: Raw colour [b, n, 3]; masked and summed over regions before the sigmoid.
        sdf: Its part of the signed distance [b, n, 1].
        features: Its features [b, n, h].
        mask: Raw membership [b, n, 1].
    """

    rgb: Tensor
    sdf: Tensor
    features: Tensor
    mask: Tensor


class FilmLayer(nn.Module):
    """sin(frequency * (W x + b) + phase), both affine in a style code.

    frequency is 15 * gamma(s) + 30 and phase is 0.25 * beta(s).

    Args:
        num_in: Input features.
        num_out: Output features.
        style_dim: Width of the style code.
        is_first: The layer reads coordinates.
        rng: Source of the initial weights.

    Reference: Chan et al., pi-GAN (2021), section 3.1; Or-El et al., StyleSDF (2022).
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        style_dim: int,
        *,
        is_first: bool = False,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        limit = 1 / num_in if is_first else sine_limit(num_in)
        self.weight = nn.Parameter(uniform((num_out, num_in), limit, rng))
        self.bias = nn.Parameter(uniform((num_out,), math.sqrt(1 / num_in), rng))
        self.gamma = quarter_kaiming_linear(style_dim, num_out, rng)
        self.beta = quarter_kaiming_linear(style_dim, num_out, rng)

    def modulation(self, style: Tensor) -> tuple[Tensor, Tensor]:
        """Return frequency and phase [b, o] of style codes [b, d]."""
        frequency = _FREQUENCY_GAIN * self.gamma(style) + _FREQUENCY
        return frequency, _PHASE_GAIN * self.beta(style)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return features [b, n, o] of x [b, n, i] with one style code [b or 1, d] per image."""
        frequency, phase = self.modulation(style)
        return torch.sin(frequency[:, None] * F.linear(x, self.weight, self.bias) + phase[:, None])


class RegionNetwork(nn.Module):
    """A region's signed distance, colour, features and mask at points.

    Args:
        hidden: Width of all layers.
        style_dim: Width of the codes.
        shape_layers: Layers steered by the shape code.
        texture_layers: Layers behind them, steered by the texture code.
        rng: Source of the initial weights.

    Reference: Ma et al., CNeRF (2023), section 3.2. The residual distance comes from the texture
    features, so the published texture code moves the surface too.
    """

    def __init__(
        self,
        hidden: int,
        style_dim: int,
        shape_layers: int,
        texture_layers: int,
        *,
        rng: torch.Generator,
    ) -> None:
        super().__init__()

        def layer(index: int, *, first: bool) -> FilmLayer:
            is_first = first and index == 0
            return FilmLayer(
                3 if is_first else hidden, hidden, style_dim, is_first=is_first, rng=rng
            )

        self.shape_linears = nn.ModuleList(layer(i, first=True) for i in range(shape_layers))
        self.texture_linears = nn.ModuleList(layer(i, first=False) for i in range(texture_layers))
        self.sdf_linear = head(hidden, 1, rng)
        self.mask_linears = head(hidden + 3, 1, rng)
        self.feature_linear = quarter_kaiming_linear(hidden + 3, hidden, rng)
        self.rgb_linear = head(hidden, 3, rng)

    def trunk(self, points: Tensor, shape: Tensor, texture: Tensor) -> RegionTrunk:
        """Return features of normalised points [b, n, 3] with codes [b or 1, d]."""
        x = points
        for layer in self.shape_linears:
            x = layer(x, shape)
        of_shape = x
        for layer in self.texture_linears:
            x = layer(x, texture)
        return RegionTrunk(of_shape, x)

    def forward(
        self, points: Tensor, directions: Tensor, shape: Tensor, texture: Tensor
    ) -> RegionValues:
        """Return the region's values.

        Args:
            points: Points [b, n, 3]; the volume is [-1, 1].
            directions: Unit viewing directions [b, n, 3].
            shape: Shape code [b or 1, d].
            texture: Texture code [b or 1, d].
        """
        trunk = self.trunk(points, shape, texture)
        features = self.feature_linear(torch.cat([trunk.texture, directions], dim=-1))
        return RegionValues(
            self.rgb_linear(features),
            self.sdf_linear(trunk.texture),
            features,
            self.mask_linears(torch.cat([trunk.shape, directions], dim=-1)),
        )

    def sdf(self, points: Tensor, shape: Tensor, texture: Tensor) -> Tensor:
        """Return the signed distance [b, n, 1] alone."""
        return self.sdf_linear(self.trunk(points, shape, texture).texture)


def sine_limit(num_in: int) -> float:
    """Return the largest initial weight of a layer that is followed by a sine."""
    return math.sqrt(6 / num_in) / 25


def uniform(shape: tuple[int, ...], limit: float, rng: torch.Generator) -> Tensor:
    """Draw numbers within +-limit."""
    return (torch.rand(shape, generator=rng) * 2 - 1) * limit


def head(num_in: int, num_out: int, rng: torch.Generator) -> nn.Linear:
    """Return a linear head with small weights."""
    return _linear(
        uniform((num_out, num_in), sine_limit(num_in), rng),
        uniform((num_out,), math.sqrt(1 / num_in), rng),
    )


def quarter_kaiming_linear(num_in: int, num_out: int, rng: torch.Generator) -> nn.Linear:
    """Return a linear map with a quarter of Kaiming's normal weights."""
    gain = math.sqrt(2 / (1 + 0.2**2))
    weight = torch.randn(num_out, num_in, generator=rng) * (0.25 * gain / math.sqrt(num_in))
    return _linear(weight, uniform((num_out,), math.sqrt(1 / num_in), rng))


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    num_out, num_in = weight.shape
    linear = nn.Linear(num_in, num_out, device="meta")
    linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(bias)
    return linear
