"""StyleGAN2's synthesis network: from style codes to an image of any number of channels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.nn.synthesis_block import Architecture, SynthesisBlock
from triptych.nn.synthesis_layers import Edits, LayerOptions, NoiseMode
from triptych.ops.modulated_conv import Modulation
from triptych.ops.precision import at_least_float32

_FIRST_SIZE = 4


def channels_at(size: int, channel_base: int, channel_max: int) -> int:
    """Return the number of channels at a resolution."""
    return min(channel_base // size, channel_max)


class SynthesisNetwork(nn.Module):
    """Blocks b4, b8, ... up to the output size.

    The ToRGB layer of a block uses the style slot of the next block's first convolution, so that
    there is one slot per convolution and one more for the last ToRGB layer.

    Args:
        w_dim: Width of the style codes.
        size: Output height and width, a power of two from 4.
        image_channels: Output channels.
        channel_base: Channels times resolution.
        channel_max: Most channels of any block.
        architecture: "skip" or "orig"; see `SynthesisBlock`.
        gains: Factor of each block's convolutions, from the first block; 1 for all others.
        options: Shared by all layers.
        rng: Source of the initial weights.

    Reference: Karras et al., StyleGAN2 (2020).
    """

    def __init__(
        self,
        w_dim: int,
        size: int,
        image_channels: int,
        *,
        channel_base: int,
        channel_max: int,
        architecture: Architecture,
        gains: Sequence[float] = (),
        options: LayerOptions,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        if size < _FIRST_SIZE or size & (size - 1):
            raise UserError(f"plane or image size must be a power of two from 4: got {size}")
        levels = int(math.log2(size))
        self.sizes = [2**level for level in range(2, levels + 1)]
        self.num_ws = 0
        num_in = 0
        for index, block_size in enumerate(self.sizes):
            num_out = channels_at(block_size, channel_base, channel_max)
            block = SynthesisBlock(
                num_in,
                num_out,
                w_dim,
                block_size,
                image_channels=image_channels,
                architecture=architecture,
                is_last=block_size == size,
                gain=gains[index] if index < len(gains) else 1.0,
                options=options,
                rng=rng,
            )
            self.add_module(f"b{block_size}", block)
            self.num_ws += block.num_conv + (block.num_torgb if block_size == size else 0)
            num_in = num_out

    def forward(
        self,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Tensor:
        """Return images [b, image_channels, size, size] from style codes [b, num_ws, w_dim]."""
        x: Tensor | None = None
        image: Tensor | None = None
        for block, codes in self.blocks_with_codes(at_least_float32(ws)):
            x, image = block(
                x,
                image,
                codes,
                noise_mode=noise_mode,
                generator=generator,
                modulation=modulation,
                edits=edits,
            )
        assert image is not None
        return image

    def blocks_with_codes(self, ws: Tensor) -> Iterator[tuple[SynthesisBlock, Tensor]]:
        """Yield every block with the style codes [b, num_conv + num_torgb, w_dim] that it takes."""
        start = 0
        for size in self.sizes:
            block = self.get_submodule(f"b{size}")
            assert isinstance(block, SynthesisBlock)
            yield block, ws[:, start : start + block.num_conv + block.num_torgb]
            start += block.num_conv
