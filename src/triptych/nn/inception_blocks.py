"""The blocks of Inception v3 under the parameter names of its public weight files.

Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision (2016).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Pooling = Literal["average", "average-inside", "maximum"]
"""How the pooled branch of a block pools 3 x 3 windows: the average with zeros beyond the
border (torchvision), the average of what lies inside the map (TensorFlow), or the maximum, which
FID's network has in its last block."""

_EPS = 1e-3


class BasicConv2d(nn.Module):
    """Convolution without bias, batch norm, rectifier.

    Args:
        in_channels: Channels in.
        channels: Channels out.
        kernel: Height and width of the kernel, or both in one.
        stride: Step of the kernel.
        padding: Zeros around the map, rows and columns; by default as many as keep its size.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        around = (rows // 2, columns // 2) if padding is None else (padding, padding)
        self.conv = nn.Conv2d(in_channels, channels, (rows, columns), stride, around, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def pooled_windows(x: Tensor, pooling: Pooling) -> Tensor:
    """Pool the 3 x 3 window around every place of maps [b, c, h, w]; the size stays."""
    if pooling == "maximum":
        return functional.max_pool2d(x, 3, stride=1, padding=1)
    zeros_count = pooling == "average"
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=zeros_count)


class InceptionA(nn.Module):
    """Four branches on fine maps: 1x1, 5x5, twice 3x3, pooled (the paper's Figure 5).

    Args:
        in_channels: Channels in.
        pool_features: Channels of the pooled branch.
        pooling: Of the pooled branch.
        divisor: Divides the numbers of channels that are given in the paper, and pool_features.
    """

    def __init__(
        self, in_channels: int, pool_features: int, *, pooling: Pooling, divisor: int = 1
    ) -> None:
        super().__init__()
        narrow, wide, wider, pooled = _divided((48, 64, 96, pool_features), divisor)
        self.pooling = pooling
        self.branch1x1 = BasicConv2d(in_channels, wide, 1)
        self.branch5x5_1 = BasicConv2d(in_channels, narrow, 1)
        self.branch5x5_2 = BasicConv2d(narrow, wide, 5)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, wide, 1)
        self.branch3x3dbl_2 = BasicConv2d(wide, wider, 3)
        self.branch3x3dbl_3 = BasicConv2d(wider, wider, 3)
        self.branch_pool = BasicConv2d(in_channels, pooled, 1)
        self.channels = 2 * wide + wider + pooled

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(pooled_windows(x, self.pooling)),
        )
        return torch.cat(branches, dim=1)


class InceptionB(nn.Module):
    """Halve the maps: strided 3x3, twice 3x3, maximum (the paper's Figure 10).

    Args:
        in_channels: Channels in.
        divisor: Divides the paper's numbers of channels.
    """

    def __init__(self, in_channels: int, *, divisor: int = 1) -> None:
        super().__init__()
        narrow, wide, widest = _divided((64, 96, 384), divisor)
        self.branch3x3 = BasicConv2d(in_channels, widest, 3, stride=2, padding=0)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, narrow, 1)
        self.branch3x3dbl_2 = BasicConv2d(narrow, wide, 3)
        self.branch3x3dbl_3 = BasicConv2d(wide, wide, 3, stride=2, padding=0)
        self.channels = widest + wide + in_channels

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.branch3x3(x),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            functional.max_pool2d(x, 3, stride=2),
        )
        return torch.cat(branches, dim=1)


class InceptionC(nn.Module):
    """Four branches on middle maps: 1x1, 7x7 and twice 7x7 as rows and columns, pooled (Figure 6).

    Args:
        in_channels: Channels in.
        channels_7x7: Channels between rows and columns.
        pooling: Of the pooled branch.
        divisor: Divides the paper's numbers of channels, and channels_7x7.
    """

    def __init__(
        self, in_channels: int, channels_7x7: int, *, pooling: Pooling, divisor: int = 1
    ) -> None:
        super().__init__()
        between, wide = _divided((channels_7x7, 192), divisor)
        row, column = (1, 7), (7, 1)
        self.pooling = pooling
        self.branch1x1 = BasicConv2d(in_channels, wide, 1)
        self.branch7x7_1 = BasicConv2d(in_channels, between, 1)
        self.branch7x7_2 = BasicConv2d(between, between, row)
        self.branch7x7_3 = BasicConv2d(between, wide, column)
        self.branch7x7dbl_1 = BasicConv2d(in_channels, between, 1)
        self.branch7x7dbl_2 = BasicConv2d(between, between, column)
        self.branch7x7dbl_3 = BasicConv2d(between, between, row)
        self.branch7x7dbl_4 = BasicConv2d(between, between, column)
        self.branch7x7dbl_5 = BasicConv2d(between, wide, row)
        self.branch_pool = BasicConv2d(in_channels, wide, 1)
        self.channels = 4 * wide

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_2(self.branch7x7_1(x))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branches = (
            self.branch1x1(x),
            self.branch7x7_3(once),
            self.branch7x7dbl_5(self.branch7x7dbl_4(twice)),
            self.branch_pool(pooled_windows(x, self.pooling)),
        )
        return torch.cat(branches, dim=1)


class InceptionD(nn.Module):
    """Halve the maps once more: strided 3x3, 7x7 with a strided 3x3, maximum.

    Args:
        in_channels: Channels in.
        divisor: Divides the paper's numbers of channels.
    """

    def __init__(self, in_channels: int, *, divisor: int = 1) -> None:
        super().__init__()
        wide, widest = _divided((192, 320), divisor)
        self.branch3x3_1 = BasicConv2d(in_channels, wide, 1)
        self.branch3x3_2 = BasicConv2d(wide, widest, 3, stride=2, padding=0)
        self.branch7x7x3_1 = BasicConv2d(in_channels, wide, 1)
        self.branch7x7x3_2 = BasicConv2d(wide, wide, (1, 7))
        self.branch7x7x3_3 = BasicConv2d(wide, wide, (7, 1))
        self.branch7x7x3_4 = BasicConv2d(wide, wide, 3, stride=2, padding=0)
        self.channels = widest + wide + in_channels

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        branches = (
            self.branch3x3_2(self.branch3x3_1(x)),
            self.branch7x7x3_4(wide),
            functional.max_pool2d(x, 3, stride=2),
        )
        return torch.cat(branches, dim=1)


class InceptionE(nn.Module):
    """Four branches on coarse maps: 1x1, and two that fan out into a row and a column (Figure 7).

    Args:
        in_channels: Channels in.
        pooling: Of the pooled branch.
        divisor: Divides the paper's numbers of channels.
    """

    def __init__(self, in_channels: int, *, pooling: Pooling, divisor: int = 1) -> None:
        super().__init__()
        pooled, wide, wider, widest = _divided((192, 320, 384, 448), divisor)
        row, column = (1, 3), (3, 1)
        self.pooling = pooling
        self.branch1x1 = BasicConv2d(in_channels, wide, 1)
        self.branch3x3_1 = BasicConv2d(in_channels, wider, 1)
        self.branch3x3_2a = BasicConv2d(wider, wider, row)
        self.branch3x3_2b = BasicConv2d(wider, wider, column)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, widest, 1)
        self.branch3x3dbl_2 = BasicConv2d(widest, wider, 3)
        self.branch3x3dbl_3a = BasicConv2d(wider, wider, row)
        self.branch3x3dbl_3b = BasicConv2d(wider, wider, column)
        self.branch_pool = BasicConv2d(in_channels, pooled, 1)
        self.channels = wide + 4 * wider + pooled

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = (
            self.branch1x1(x),
            self.branch3x3_2a(once),
            self.branch3x3_2b(once),
            self.branch3x3dbl_3a(twice),
            self.branch3x3dbl_3b(twice),
            self.branch_pool(pooled_windows(x, self.pooling)),
        )
        return torch.cat(branches, dim=1)


def _divided(widths: tuple[int, ...], divisor: int) -> tuple[int, ...]:
    assert all(width % divisor == 0 for width in widths), f"{divisor} does not divide {widths}"
    return tuple(width // divisor for width in widths)
