"""The fast form of a synthesis block: one style multiplied in, on rows of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.nn.styled_convolution import StyledConvolution
from triptych.nn.synthesis_block import SynthesisBlock
from triptych.nn.synthesis_layers import NoiseMode, SynthesisLayer, ToRGBLayer
from triptych.ops.upfirdn2d import upsample2d


@dataclass(frozen=True, eq=False)
class StyledToRGB:
    """A 1x1 convolution from rows to image channels.

    Attributes:
        weight: [o, i].
        bias: [o], float32.
        clamp: Limit of the results, or None.
    """

    weight: Tensor
    bias: Tensor
    clamp: float | None

    @classmethod
    def of(cls, layer: ToRGBLayer, w: Tensor, dtype: torch.dtype) -> StyledToRGB:
        """Multiply a style code [1, d] into a layer."""
        weight = layer.weight[:, :, 0, 0] * layer.styles(w)
        return cls(weight.to(dtype), layer.bias, layer.options.conv_clamp)

    def __call__(self, rows: Tensor) -> Tensor:
        """Return [h, w, o] in float32 from rows [h, w, i]."""
        shown = F.linear(rows, self.weight).float() + self.bias
        return shown if self.clamp is None else shown.clamp_(-self.clamp, self.clamp)


@dataclass(frozen=True, eq=False)
class StyledBlock:
    """Two convolutions (one after a constant) and optionally a ToRGB layer.

    Attributes:
        start: Rows [4, 4, c] that the first block of a network starts with, else None.
        conv0: First convolution; None in the first block of a network.
        conv1: Second convolution.
        to_rgb: None where the block has no image output.
        up_filter: Up-samples the image so far [t, t]; None keeps its size.
    """

    start: Tensor | None
    conv0: StyledConvolution | None
    conv1: StyledConvolution
    to_rgb: StyledToRGB | None
    up_filter: Tensor | None

    @classmethod
    def of(
        cls,
        block: SynthesisBlock,
        ws: Tensor,
        dtype: torch.dtype,
        *,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
    ) -> StyledBlock:
        """Multiply the style codes of one portrait into a block.

        Args:
            block: Its layers must be supported; see `styled_convolution.is_supported`.
            ws: Style codes [1, k, d], as the block itself takes them.
            dtype: Of the maps: float32 or bfloat16.
            noise_mode: See `SynthesisLayer`.
            generator: Source of random noise.
        """
        codes = iter(ws.unbind(dim=1))

        def styled(layer: SynthesisLayer) -> StyledConvolution:
            noise = layer.noise(1, noise_mode, generator)
            noise = None if noise is None else noise.reshape(layer.size, layer.size)
            return StyledConvolution.of(layer, next(codes), noise, dtype)

        start = block.const.permute(1, 2, 0).to(dtype).contiguous() if block.is_first else None
        conv0 = None if block.is_first else styled(block.conv0)
        conv1 = styled(block.conv1)
        to_rgb = None
        if block.reads_image:
            to_rgb = StyledToRGB.of(block.torgb, next(codes), dtype)
        return cls(start, conv0, conv1, to_rgb, block.resample_filter if block.up else None)

    def __call__(
        self, x: Tensor | None, image: Tensor | None, *, is_last: bool = False
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return rows [size, size, c], None if this is the last block, and the image so far.

        Args:
            x: Rows of the block before; None in the first block.
            image: Image of the block before [1, c, h, h], float32; None before the first
                ToRGB layer.
            is_last: Only the image is needed.
        """
        if self.conv0 is None:
            rows = self.start
        else:
            assert x is not None
            rows = self.conv0(x)
        assert rows is not None
        if image is not None and self.up_filter is not None:
            image = upsample2d(image, self.up_filter)
        if self.to_rgb is None:
            return self.conv1(rows), image
        if is_last:
            shown = [self.to_rgb(strip) for strip in self.conv1.strips(rows)]
            result, pixels = None, torch.cat(shown)
        else:
            result = self.conv1(rows)
            pixels = self.to_rgb(result)
        picture = pixels.permute(2, 0, 1)[None].contiguous()
        return result, picture if image is None else image.add_(picture)
