"""The low branch: residual trunk and atrous pyramid, then transformer blocks on its map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.systems.edit.encoder_config import TriplaneEncoderConfig
from triptych.systems.edit.token_blocks import (
    OverlapPatchEmbedding,
    SegFormerBlock,
    Upsample,
    as_map,
    convolution,
    upsample_twice,
)

IMAGE_CHANNELS = 5
"""Red, green, blue, row and column."""
DROPOUT_RATE = 0.5
"""Of the pyramid's projection, in training and in 3DPE's released script."""


class ResidualTrunk(nn.Module):
    """The first two groups of a ResNet-34, without norms; every convolution has a bias."""

    def __init__(self, config: TriplaneEncoderConfig) -> None:
        super().__init__()
        narrow, wide = config.trunk_widths
        self.conv1 = convolution(IMAGE_CHANNELS, narrow, stride=2, kernel=7)
        self.layer1 = _group(narrow, narrow, config.trunk_blocks[0], stride=1)
        self.layer2 = _group(narrow, wide, config.trunk_blocks[1], stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return maps of inputs [b, 5, h, w] at a half, a quarter and an eighth of their size."""
        half = functional.relu(self.conv1(image)).to(next(self.layer1.parameters()).dtype)
        quarter = self.layer1(functional.max_pool2d(half, 3, stride=2, padding=1))
        return half, quarter, self.layer2(quarter)


def _group(num_in: int, num_out: int, blocks: int, stride: int) -> nn.Sequential:
    first = _BasicBlock(num_in, num_out, stride)
    return nn.Sequential(first, *(_BasicBlock(num_out, num_out, 1) for _ in range(blocks - 1)))


class _BasicBlock(nn.Module):
    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = convolution(num_in, num_out, stride=stride)
        self.conv2 = convolution(num_out, num_out)
        self.downsample = nn.Sequential()
        if stride != 1 or num_in != num_out:
            self.downsample.append(convolution(num_in, num_out, stride=stride, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv2(functional.relu(self.conv1(x)))
        return functional.relu(found + self.downsample(x))


class _PooledBranch(nn.Sequential):
    """The mean of a map, convolved and spread over the map again."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), convolution(num_in, num_out, kernel=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, -1, *x.shape[-2:])


class AtrousPyramid(nn.Module):
    """Five views of one map: pointwise, three dilated and its mean; joined by a projection.

    Reference:
        Chen et al., DeepLabV3 (2017), section 3.3.
    """

    def __init__(self, num_in: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        dilated = [nn.Conv2d(num_in, width, 3, padding=rate, dilation=rate) for rate in rates]
        self.convs = nn.ModuleList(
            nn.Sequential(layer, nn.ReLU())
            for layer in (convolution(num_in, width, kernel=1), *dilated)
        )
        self.convs.append(_PooledBranch(num_in, width))
        joined = len(self.convs) * width
        self.project = nn.Sequential(convolution(joined, width, kernel=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Return a map [b, width, h, w] of a map [b, c, h, w]."""
        return self.project(torch.cat([branch(x) for branch in self.convs], dim=1))


class PyramidDecoder(nn.Sequential):
    """The pyramid and one convolution, named as in published checkpoints.

    Its dropout is no layer: `forward` is told whether to drop, so that evaluation and training mode
    give the same.
    """

    def __init__(self, config: TriplaneEncoderConfig) -> None:
        width = config.pyramid_width
        super().__init__(
            AtrousPyramid(config.trunk_widths[1], width, config.pyramid_rates),
            convolution(width, width),
        )

    def forward(self, x: Tensor, dropout: torch.Generator | None = None) -> Tensor:
        """Return a map [b, width, h, w] of the trunk's.

        Args:
            x: The trunk's last map.
            dropout: Source of dropped values; None drops none.
        """
        pyramid, last = self
        joined = pyramid(x)
        if dropout is not None:
            joined = dropped(joined, dropout)
        return functional.relu(last(joined))


def dropped(values: Tensor, rng: torch.Generator) -> Tensor:
    """Return values of which half, drawn one by one, are zero and the others doubled."""
    kept = torch.rand(values.shape, generator=rng) >= DROPOUT_RATE
    return values * (kept.to(values) / (1 - DROPOUT_RATE))


class LowEncoder(nn.Module):
    """From the pyramid's map to low features: a quarter of the photo in LT, a half in Normal."""

    def __init__(self, config: TriplaneEncoderConfig) -> None:
        super().__init__()
        width = config.low_width
        self.patchembed = OverlapPatchEmbedding(config.pyramid_width, width, stride=2)
        self.blocks = nn.ModuleList(
            SegFormerBlock(width, config.low_heads, config.mlp_ratio, reduction=1)
            for _ in range(config.low_blocks)
        )
        first, second, *last = config.low_outputs
        entry = convolution(width // 4, first)
        self.net = (
            nn.Sequential(entry, nn.LeakyReLU(), convolution(first, second))
            if config.layout == "LT"
            else nn.Sequential(
                entry,
                nn.ReLU(),
                Upsample(),
                convolution(first, second),
                nn.ReLU(),
                convolution(second, last[0]),
            )
        )

    def forward(self, pyramid: Tensor) -> Tensor:
        """Return low features [b, c, h, w]."""
        tokens, size = self.patchembed(pyramid)
        for block in self.blocks:
            tokens = block(tokens, size)
        return self.net(upsample_twice(functional.pixel_shuffle(as_map(tokens, *size), 2)))
