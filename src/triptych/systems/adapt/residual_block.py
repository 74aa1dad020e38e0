"""PStyle-3D's residual block behind a styled convolution (ModRes), as it was designed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.ops.bias_act import bias_act

_INITIAL_SCALE = 0.01
_EPSILON = 1e-5


class InstanceModulation(nn.Module):
    """Instance normalisation, then a scale and a shift per channel from a style code.

    Args:
        channels: Channels c.
        style_dim: Width of the style code.

    Reference: Huang and Belongie, AdaIN (2017).
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.style = nn.Linear(style_dim, 2 * channels)
        with torch.no_grad():
            self.style.bias[:channels] = 1
            self.style.bias[channels:] = 0

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Return maps [b, c, h, w] of maps and codes [b, style_dim]."""
        scale, shift = self.style(code)[:, :, None, None].chunk(2, dim=1)
        return scale * F.instance_norm(x, eps=_EPSILON) + shift


class ResidualBlock(nn.Module):
    """Twice: normalise and modulate, 3x3 convolution, leaky ReLU; the result is added to the input.

    Parameter names are the published ones. In the released code the branch's result is overwritten
    with the input, so that a block returns twice its input whatever its weights are.

    Args:
        channels: Channels c.
        style_dim: Width of the style code.
        rng: Source of the initial weights.

    Reference: Yang et al., DualStyleGAN (2022), section 3.1; PStyle-3D's released code.
    """

    def __init__(self, channels: int, style_dim: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.conv = _equalised_convolution(channels, rng)
        self.conv2 = _equalised_convolution(channels, rng)
        self.norm = InstanceModulation(channels, style_dim)
        self.norm2 = InstanceModulation(channels, style_dim)
        self.affine = FullyConnectedLayer(style_dim, style_dim, bias=1.0, rng=rng)

    def forward(self, x: Tensor, w_style: Tensor) -> Tensor:
        """Return the branch [b, c, h, w], without the input.

        Args:
            x: Maps [b, c, h, w].
            w_style: Rows [b or 1, style_dim] of the style code.
        """
        code = self.affine(w_style)
        branch = self.conv(self.norm(x, code))
        return self.conv2(self.norm2(branch, code))


class _Weight(nn.Module):
    """A 3x3 kernel with equalised learning rate."""

    def __init__(self, channels: int, rng: torch.Generator) -> None:
        super().__init__()
        weight = torch.randn(channels, channels, 3, 3, generator=rng)
        self.weight = nn.Parameter(weight * _INITIAL_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        gain = 1 / math.sqrt(x.shape[1] * 9)
        return F.conv2d(x, self.weight * gain, padding=1)


class _Activation(nn.Module):
    """A bias and StyleGAN2's leaky ReLU with its gain."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return bias_act(x, self.bias, activation="lrelu")


def _equalised_convolution(channels: int, rng: torch.Generator) -> nn.Sequential:
    return nn.Sequential(_Weight(channels, rng), _Activation(channels))
