"""IR-SE blocks: improved residual units with squeeze-and-excitation, as face encoders have them.

Parameter names are those of the public IR-SE50 weight file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.errors import UserError

Squeeze = Literal["mean", "max"]
"""How a channel gate pools its map: ArcFace, pSp and ReStyle take the mean, 3DpSp the maximum
(its pooling layer is still called an average)."""

IR_SE50_WIDTHS = (64, 128, 256, 512)
IR_SE50_UNITS = (3, 4, 14, 3)
_GROUPS = 4
_WIDEST_BLOCK = 16  # channels that oneDNN processes at once, on any processor


def check_groups(widths: Sequence[int], units: Sequence[int]) -> None:
    """Raise UserError unless widths and units are of four groups each."""
    if len(widths) != _GROUPS or len(units) != _GROUPS:
        raise UserError(
            f"widths and units: got {len(widths)} and {len(units)} groups; "
            f"expected {_GROUPS} of each"
        )


class SqueezeExcite(nn.Module):
    """Scale every channel by a gate that sees all channels at once.

    Args:
        channels: Channels in and out.
        reduction: Factor by which the hidden layer is narrower.
        squeeze: How a gate pools a channel: mean or maximum.

    Reference: Hu et al., Squeeze-and-Excitation Networks (2018).
    """

    def __init__(self, channels: int, *, reduction: int = 16, squeeze: Squeeze = "mean") -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = squeeze
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pool = functional.adaptive_max_pool2d if self.squeeze == "max" else _mean_over_map
        gate = self.fc2(functional.relu(self.fc1(pool(x, 1))))
        return x * gate.sigmoid()


class EveryNth(nn.Module):
    """Keep every n-th row and column: what a max-pooling with a window of one does, but faster."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return x if self.n == 1 else x[..., :: self.n, :: self.n]


class ShortcutConv2d(nn.Conv2d):
    """A 1x1 convolution with a stride and no bias, safe to train with few channels.

    oneDNN (3.12 and earlier) writes past a buffer when it computes the gradient of the weights of
    a strided 1x1 convolution on a channels-last image whose channels do not fill one vector block
    (8 with AVX2, 16 with AVX-512): threads hang, the heap is damaged or the gradient is wrong
    (uxlfoundation/oneDNN issue 6035). Taking every n-th pixel first is the same function.

    Args:
        in_channels: Channels in.
        channels: Channels out.
        stride: Of the rows and columns.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(in_channels, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.in_channels >= _WIDEST_BLOCK:
            return super().forward(x)
        rows, columns = self.stride
        return functional.conv2d(x[..., ::rows, ::columns], self.weight, self.bias)


class ResidualUnit(nn.Module):
    """Batch norm, 3x3, PReLU, strided 3x3, batch norm, gate; beside it the shortcut; no rectifier.

    Args:
        in_channels: Channels in.
        channels: Channels out.
        stride: Of the second convolution and of the shortcut.
        squeeze: See `SqueezeExcite`; None leaves the gate out.

    Reference: Deng et al., ArcFace (2019), section 3.1 ("IR" units).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        *,
        squeeze: Squeeze | None = "mean",
    ) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == channels:
            self.shortcut_layer = EveryNth(stride)
        else:
            self.shortcut_layer = nn.Sequential(
                ShortcutConv2d(in_channels, channels, stride), nn.BatchNorm2d(channels)
            )
        layers: list[nn.Module] = [
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
        ]
        if squeeze is not None:
            layers.append(SqueezeExcite(channels, squeeze=squeeze))
        self.res_layer = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_layer(x) + self.res_layer(x)


def stem(in_channels: int, channels: int) -> nn.Sequential:
    """Return the first layers: 3x3 convolution, batch norm, PReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.PReLU(channels),
    )


def residual_body(
    widths: Sequence[int], units: Sequence[int], *, squeeze: Squeeze = "mean"
) -> nn.Sequential:
    """Return the units of all groups in a row; the first of every group halves the size.

    Args:
        widths: Channels of each group; the first is also what comes in.
        units: Units of each group, at least one.
        squeeze: See `SqueezeExcite`.

    Raises:
        UserError: The two lists do not fit each other.
    """
    if len(widths) != len(units) or not widths or min(units) < 1 or min(widths) < 1:
        raise UserError(
            f"groups of residual units: got widths {tuple(widths)} and counts {tuple(units)}; "
            "expected as many widths as counts, all at least 1"
        )
    body: list[nn.Module] = []
    incoming = widths[0]
    for width, count in zip(widths, units, strict=True):
        body.append(ResidualUnit(incoming, width, 2, squeeze=squeeze))
        body += [ResidualUnit(width, width, 1, squeeze=squeeze) for _ in range(count - 1)]
        incoming = width
    return nn.Sequential(*body)


@torch.no_grad()
def initialise_for_rectifiers(module: nn.Module, rng: torch.Generator) -> None:
    """Give convolutions and linear layers He's initial weights and zero biases.

    Without normalisation between them, as in the style heads of pSp, deep stacks need it: under
    the framework's own rule their signal fades by more than half per layer.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
            if layer.bias is not None:
                layer.bias.zero_()


def _mean_over_map(x: Tensor, size: int) -> Tensor:
    return functional.adaptive_avg_pool2d(x, size)
