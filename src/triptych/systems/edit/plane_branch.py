"""The last part: high and low features become three planes."""

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
)


class PlaneBranch(nn.Module):
    """Convolutions, one transformer block on overlapping patches, and convolutions to planes.

    "LT" works at a quarter of the photo's size and up-samples near its end. "Normal" works at half
    of it and reads the low features a second time.
    """

    def __init__(self, config: TriplaneEncoderConfig) -> None:
        super().__init__()
        self.reads_low_twice = config.layout == "Normal"
        num_low, width = config.low_outputs[-1], config.final_width
        joined = config.high_widths[-1] + num_low
        planes = 3 * config.plane_channels
        fused = config.fusion_widths
        if config.layout == "LT":
            self.net = nn.Sequential(convolution(joined, fused[0]))
            first, *others = config.output_widths
            self.output_net = nn.Sequential(
                convolution(width // 4, first),
                nn.LeakyReLU(),
                Upsample(),
                *_leaky(first, *others),
                convolution(others[-1], planes),
            )
        else:
            self.net = _leaky(joined, *fused)
            self.output_net = nn.Sequential(
                *_leaky(width // 4 + num_low, *config.output_widths),
                convolution(config.output_widths[-1], planes),
            )
        # Published checkpoints spell this name so.
        self.pathembed = OverlapPatchEmbedding(fused[-1], width, stride=2)
        self.block = SegFormerBlock(width, config.final_heads, config.mlp_ratio, reduction=2)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Return planes [b, 3 * c, h, w].

        Args:
            high: High features, of the photo or made of a prompt.
            low: Low features of the same size.
        """
        tokens, size = self.pathembed(self.net(torch.cat([high, low], dim=1)))
        tokens = self.block(tokens, size)
        shuffled = functional.pixel_shuffle(as_map(tokens, *size), 2)
        if self.reads_low_twice:
            shuffled = torch.cat([shuffled, low], dim=1)
        return self.output_net(shuffled)


def _leaky(num_in: int, *widths: int) -> nn.Sequential:
    """Return convolutions, each with its activation."""
    layers: list[nn.Module] = []
    for num_out in widths:
        layers += [convolution(num_in, num_out), nn.LeakyReLU()]
        num_in = num_out
    return nn.Sequential(*layers)
