"""EG3D's super-resolution networks: two styled blocks that up-sample a rendered feature map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.nn.synthesis_block import SynthesisBlock
from triptych.nn.synthesis_layers import Edits, LayerOptions, NoiseMode
from triptych.ops.modulated_conv import Modulation
from triptych.ops.precision import at_least_float32
from triptych.ops.resize import resize
from triptych.ops.upfirdn2d import fir_kernel

SuperResolutionKind = Literal["8XDC", "8X", "4X", "2X"]


@dataclass(frozen=True)
class _Layout:
    """What tells EG3D's super-resolution classes apart."""

    input_size: int
    widths: tuple[int, int]
    first_block_upsamples: bool
    accepts_larger_input: bool
    stores_filter: bool  # an unused buffer, present in its checkpoints


_LAYOUTS: dict[SuperResolutionKind, _Layout] = {
    "8XDC": _Layout(128, (256, 128), True, True, False),
    "8X": _Layout(128, (128, 64), True, True, True),
    "4X": _Layout(128, (128, 64), False, False, True),
    "2X": _Layout(64, (128, 64), False, True, True),
}


@dataclass(frozen=True)
class SuperResolutionConfig:
    """Configuration of the super-resolution network.

    Attributes:
        kind: EG3D's four networks: 8XDC and 8X take 128 pixels to 512, 4X takes 128 to 256 and 2X
            takes 64 to 128. Other input sizes are resized first.
        widths: Channels of the two blocks; None takes the official ones.
        antialias: Antialias that first resizing.
        noise_mode: Noise in the blocks; off in all official models.
        conv_clamp: Activation limit. Official ones have it because they were trained in half
            precision; it is part of the function, also in float32.
        gain: Factor of what each convolution gives, after the clamp: 1 but for PStyle-3D's released
            code, whose residual blocks return twice their input.
    """

    kind: SuperResolutionKind = "8XDC"
    widths: tuple[int, int] | None = None
    antialias: bool = True
    noise_mode: NoiseMode = "none"
    conv_clamp: float | None = 256.0
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self, widths=(1, 4096), conv_clamp=(1e-3, 1e6), gain=(1e-3, 1e3))

    @property
    def input_size(self) -> int:
        """Height and width of the input; other inputs are resized to it."""
        return _LAYOUTS[self.kind].input_size

    @property
    def official_widths(self) -> tuple[int, int]:
        """Channels of the two blocks in EG3D."""
        return _LAYOUTS[self.kind].widths

    @property
    def image_size(self) -> int:
        """Height and width of the output."""
        layout = _LAYOUTS[self.kind]
        return layout.input_size * (4 if layout.first_block_upsamples else 2)


class SuperResolution(nn.Module):
    """Feature map and its first three channels to a larger image.

    Parity: EG3D's 4X and 2X networks add their first ToRGB output in place to the low-resolution
    image that they are given, so that the returned image_raw includes it whenever no resizing
    happened. Here nothing is modified; the up-sampled image is the same.

    Args:
        num_features: Channels of the feature map.
        w_dim: Width of the style codes.
        config: The configuration.
        rng: Source of the initial weights.

    Reference: Chan et al., EG3D (2022), section 4.3.
    """

    def __init__(
        self,
        num_features: int,
        w_dim: int,
        config: SuperResolutionConfig,
        *,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.config = config
        layout = _LAYOUTS[config.kind]
        first, second = config.widths or layout.widths
        options = LayerOptions(conv_clamp=config.conv_clamp)
        first_size = layout.input_size * (2 if layout.first_block_upsamples else 1)
        if layout.stores_filter:
            self.register_buffer("resample_filter", fir_kernel(options.resample_filter))
        self.block0 = SynthesisBlock(
            num_features,
            first,
            w_dim,
            first_size,
            image_channels=3,
            up=layout.first_block_upsamples,
            gain=config.gain,
            options=options,
            rng=rng,
        )
        self.block1 = SynthesisBlock(
            first,
            second,
            w_dim,
            2 * first_size,
            image_channels=3,
            gain=config.gain,
            options=options,
            rng=rng,
        )

    def forward(
        self,
        features: Tensor,
        ws: Tensor,
        *,
        noise_mode: NoiseMode | None = None,
        generator: torch.Generator | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Tensor:
        """Return images [b, 3, image_size, image_size], nominally in [-1, 1].

        Args:
            features: Rendered features [b, c, h, h]; the first three channels are the image.
            ws: Style codes [b, k, w_dim], of which only the last is used.
            noise_mode: Overrides the configured one.
            generator: Source of random noise.
            modulation: See `SynthesisLayer`.
            edits: Changes of layers; see `synthesis_layers.LayerEdit`.
        """
        x = self.at_input_size(features)
        image: Tensor | None = x[:, :3]
        codes = at_least_float32(ws[:, -1:]).repeat(1, 3, 1)
        mode = noise_mode or self.config.noise_mode
        for block in (self.block0, self.block1):
            x, image = block(
                x,
                image,
                codes,
                noise_mode=mode,
                generator=generator,
                modulation=modulation,
                edits=edits,
            )
        assert image is not None
        return image

    def at_input_size(self, features: Tensor) -> Tensor:
        """Resize features [b, c, h, h] to the size that the first block takes, if they differ."""
        layout = _LAYOUTS[self.config.kind]
        size = features.shape[-1]
        if size == layout.input_size:
            return features
        if size > layout.input_size and not layout.accepts_larger_input:
            raise UserError(
                f"super-resolution {self.config.kind} takes at most {layout.input_size} pixels: "
                f"got {size}; render at a smaller size"
            )
        mode: Literal["antialiased", "none"] = "antialiased" if self.config.antialias else "none"
        return resize(features, layout.input_size, filter_mode=mode)
