"""The two layers of StyleGAN2's synthesis: styled convolution and ToRGB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.ops.bias_act import bias_act
from triptych.ops.modulated_conv import Modulation, UpConvolution, demodulation, modulated_conv2d
from triptych.ops.precision import at_least_float32
from triptych.ops.upfirdn2d import fir_kernel

NoiseMode = Literal["none", "const", "random"]


@dataclass(frozen=True)
class LayerOptions:
    """What all layers of one synthesis network share.

    Attributes:
        resample_filter: Taps of the FIR kernel around up-sampling; an even number of them.
        conv_clamp: Activations are limited to +- this after every layer; None leaves them.
        use_noise: Give every convolution a noise map and its strength.
        modulation: "weights", "activations", or "auto": activations in training mode, weights in
            evaluation mode. Equal up to rounding; see `ops.modulated_conv`.
        up_convolution: "two_step" or "composed". Equal up to rounding; see `ops.modulated_conv`.
    """

    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None
    use_noise: bool = True
    modulation: Modulation | Literal["auto"] = "auto"
    up_convolution: UpConvolution = "two_step"

    def modulation_when(self, training: bool, asked: Modulation | None = None) -> Modulation:
        """Return the modulation asked for, else the configured one; "auto" goes by the mode."""
        if asked is not None:
            return asked
        if self.modulation == "auto":
            return "activations" if training else "weights"
        return self.modulation


@dataclass(frozen=True, eq=False)
class LayerEdit:
    """What is changed in one layer of a synthesis network, for one call of it.

    Attributes:
        scale: Factors [b or 1, i] of the layer's styles. A demodulated layer normalises with the
            product.
        shift: Added to the layer's bias [o]; None for nothing.
        after: Maps the layer's result [b, o, h, w] to what goes on; None leaves it.
    """

    scale: Tensor
    shift: Tensor | None = None
    after: Callable[[Tensor], Tensor] | None = None

    def bias(self, own: Tensor) -> Tensor:
        """Return a layer's bias [o] with the shift."""
        return own if self.shift is None else own + self.shift


Edits = Mapping[nn.Module, LayerEdit]
"""Edits by layer; layers that are not in it are left as they are."""


class SynthesisLayer(nn.Module):
    """Styled 3x3 convolution, noise, bias, leaky ReLU.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        w_dim: Width of the style code.
        size: Output height and width.
        up: Up-sample the map twice.
        gain: Factor of the result, after the clamp.
        options: Shared by the network.
        rng: Source of the initial weights.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        num_in: int,
        num_out: int,
        w_dim: int,
        size: int,
        *,
        up: bool,
        gain: float = 1.0,
        options: LayerOptions,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.size = size
        self.up = up
        self.gain = gain
        self.options = options
        self.register_buffer("resample_filter", fir_kernel(options.resample_filter))
        self.affine = FullyConnectedLayer(w_dim, num_in, bias=1.0, rng=rng)
        self.weight = nn.Parameter(torch.randn(num_out, num_in, 3, 3, generator=rng))
        if options.use_noise:
            self.register_buffer("noise_const", torch.randn(size, size, generator=rng))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(num_out))

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Tensor:
        """Return activations [b, num_out, size, size].

        Args:
            x: Activations [b, num_in, size or size / 2, ...].
            w: Style codes [b, w_dim].
            noise_mode: "const" adds the stored map, "random" a fresh one, "none" nothing.
            generator: Source of random noise.
            modulation: Where the styles are multiplied in; None takes the options' way. With
                frozen weights, "activations" needs no gradient of any weight: half the backward.
            edits: Changes of this layer, among others.
        """
        edit = edits.get(self) if edits else None
        styles = self.styles(w)
        if edit is not None:
            styles = styles * edit.scale
        modulation = self.options.modulation_when(self.training, modulation)
        # Scaled activations leave the demodulation to bias_act, which saves passes over them.
        demodulates_later = modulation == "activations"
        x = modulated_conv2d(
            x,
            self.weight,
            styles,
            demodulate=not demodulates_later,
            up_kernel=self.resample_filter if self.up else None,
            modulation=modulation,
            up_convolution=self.options.up_convolution,
        )
        x = bias_act(
            x,
            self.bias if edit is None else edit.bias(self.bias),
            scale=demodulation(self.weight, styles) if demodulates_later else None,
            noise=self.noise(x.shape[0], noise_mode, generator),
            activation="lrelu",
            clamp=self.options.conv_clamp,
        )
        x = x if self.gain == 1 else x * self.gain
        return x if edit is None or edit.after is None else edit.after(x)

    def styles(self, w: Tensor) -> Tensor:
        """Return the scales [b, num_in] that style codes [b, w_dim] give the input channels."""
        return styles_from(self.affine, w)

    def noise(
        self, batch: int, mode: NoiseMode, generator: torch.Generator | None
    ) -> Tensor | None:
        """Return the noise to add, [size, size] or [batch, 1, size, size], or None for none."""
        if not self.options.use_noise or mode == "none":
            return None
        if mode == "const":
            return self.noise_const * self.noise_strength
        if generator is None:
            raise UserError("noise mode 'random' needs a generator; pass one or use 'const'")
        noise = torch.randn(batch, 1, self.size, self.size, generator=generator)
        return noise.to(self.noise_strength.device) * self.noise_strength


class ToRGBLayer(nn.Module):
    """Styled 1x1 convolution to image (or plane) channels; no demodulation, no activation.

    Args:
        num_in: Input channels.
        num_out: Image channels.
        w_dim: Width of the style code.
        options: Shared by the network.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        w_dim: int,
        *,
        options: LayerOptions,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.options = options
        self.weight_gain = 1 / math.sqrt(num_in)
        self.affine = FullyConnectedLayer(w_dim, num_in, bias=1.0, rng=rng)
        self.weight = nn.Parameter(torch.randn(num_out, num_in, 1, 1, generator=rng))
        self.bias = nn.Parameter(torch.zeros(num_out))

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        *,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Tensor:
        """Return image channels [b, num_out, h, w] from x [b, num_in, h, w] and w [b, w_dim]."""
        edit = edits.get(self) if edits else None
        styles = self.styles(w)
        x = modulated_conv2d(
            x,
            self.weight,
            styles if edit is None else styles * edit.scale,
            demodulate=False,
            modulation=self.options.modulation_when(self.training, modulation),
        )
        bias = self.bias if edit is None else edit.bias(self.bias)
        x = bias_act(x, bias, clamp=self.options.conv_clamp)
        return x if edit is None or edit.after is None else edit.after(x)

    def styles(self, w: Tensor) -> Tensor:
        """Return the scales [b, num_in] of style codes [b, w_dim], the weights' gain in them."""
        return styles_from(self.affine, w) * self.weight_gain


def styles_from(affine: FullyConnectedLayer, w: Tensor) -> Tensor:
    """Return channel scales [b, i] in float32, whatever the autocast mode."""
    with torch.autocast(w.device.type, enabled=False):
        return affine(at_least_float32(w))
