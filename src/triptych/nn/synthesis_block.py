"""One resolution of StyleGAN2's synthesis: convolutions and the picture so far."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from triptych.nn.synthesis_layers import (
    Edits,
    LayerOptions,
    NoiseMode,
    SynthesisLayer,
    ToRGBLayer,
)
from triptych.ops.modulated_conv import Modulation
from triptych.ops.precision import at_least_float32
from triptych.ops.upfirdn2d import fir_kernel, upsample2d

Architecture = Literal["skip", "orig"]


class SynthesisBlock(nn.Module):
    """Two convolutions (one in the first block) and, with skips, a ToRGB layer.

    Args:
        num_in: Input channels; 0 in the first block, which starts from a learned constant.
        num_out: Output channels.
        w_dim: Width of the style codes.
        size: Output height and width.
        image_channels: Channels of the image.
        architecture: "skip": every block adds to an up-sampled image. "orig": only the last
            block has an image output.
        is_last: This is the last block.
        up: Up-sample twice. False is EG3D's block without up-sampling, for super-resolution
            networks whose first block keeps the size.
        gain: Factor of what each convolution gives; see `SynthesisLayer`.
        options: Shared by the network.
        rng: Source of the initial weights.
    """

    resample_filter: Tensor

    def __init__(
        self,
        num_in: int,
        num_out: int,
        w_dim: int,
        size: int,
        *,
        image_channels: int,
        architecture: Architecture = "skip",
        is_last: bool = False,
        up: bool = True,
        gain: float = 1.0,
        options: LayerOptions,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.is_first = num_in == 0
        self.up = up
        self.reads_image = is_last or architecture == "skip"
        self.num_conv = 1 if self.is_first else 2
        self.num_torgb = 1 if self.reads_image else 0
        self.register_buffer("resample_filter", fir_kernel(options.resample_filter))
        if self.is_first:
            self.const = nn.Parameter(torch.randn(num_out, size, size, generator=rng))
        else:
            self.conv0 = SynthesisLayer(
                num_in, num_out, w_dim, size, up=up, gain=gain, options=options, rng=rng
            )
        self.conv1 = SynthesisLayer(
            num_out, num_out, w_dim, size, up=False, gain=gain, options=options, rng=rng
        )
        if self.reads_image:
            self.torgb = ToRGBLayer(num_out, image_channels, w_dim, options=options, rng=rng)

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return activations [b, num_out, size, size] and the image so far (float32).

        Args:
            x: Activations of the block before; None in the first block.
            image: Image of the block before; None before the first ToRGB layer. Never modified.
            ws: Style codes [b, num_conv + num_torgb, w_dim].
            noise_mode: See `SynthesisLayer`.
            generator: Source of random noise.
            modulation: See `SynthesisLayer`.
            edits: Changes of layers; see `synthesis_layers.LayerEdit`.
        """
        codes = iter(ws.unbind(dim=1))

        def convolved(layer: SynthesisLayer, x: Tensor) -> Tensor:
            return layer(
                x,
                next(codes),
                noise_mode=noise_mode,
                generator=generator,
                modulation=modulation,
                edits=edits,
            )

        if self.is_first:
            x = self._constant(ws.shape[0])
        else:
            assert x is not None
            x = convolved(self.conv0, x)
        x = convolved(self.conv1, x)
        if image is not None and self.up:
            image = upsample2d(image, self.resample_filter)
        if self.reads_image:
            shown = self.torgb(x, next(codes), modulation=modulation, edits=edits)
            shown = at_least_float32(shown)
            image = shown if image is None else image + shown
        return x, image

    def _constant(self, batch: int) -> Tensor:
        """Return the learned start, laid out in memory as the convolution weights are."""
        x = self.const.expand(batch, -1, -1, -1)
        if self.conv1.weight.is_contiguous():
            return x.contiguous()
        return x.contiguous(memory_format=torch.channels_last)
