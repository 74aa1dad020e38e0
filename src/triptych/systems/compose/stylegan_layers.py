"""StyleGAN2's layers under the parameter names of the published decoder and discriminators."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.nn.mapping_network import normalise_second_moment
from triptych.ops.bias_act import bias_act
from triptych.ops.equalised_linear import equalised_linear
from triptych.ops.modulated_conv import modulated_conv2d
from triptych.ops.precision import at_least_float32
from triptych.ops.upfirdn2d import fir_kernel, upfirdn2d

TAPS = (1.0, 3.0, 3.0, 1.0)
_UP_GAIN = 4.0


class PixelNorm(nn.Module):
    """Scale vectors [b, d] to unit mean square."""

    def forward(self, x: Tensor) -> Tensor:
        return normalise_second_moment(x)


class EqualisedLinear(nn.Module):
    """Linear map [..., i] -> [..., o] with equalised learning rate.

    Args:
        num_in: Input features.
        num_out: Output features.
        bias: Initial bias.
        lr_multiplier: Equalised learning rate multiplier.
        activated: A leaky ReLU with gain sqrt(2) follows.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        *,
        bias: float = 0.0,
        lr_multiplier: float = 1.0,
        activated: bool = False,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.lr_multiplier = lr_multiplier
        self.activated = activated
        self.weight = nn.Parameter(torch.randn(num_out, num_in, generator=rng) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([num_out], bias))

    def forward(self, x: Tensor) -> Tensor:
        x = equalised_linear(x, self.weight, self.bias, lr_multiplier=self.lr_multiplier)
        return bias_act(x, activation="lrelu") if self.activated else x


class EqualisedConv(nn.Module):
    """Convolution without bias whose weights have unit deviation.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        size: Side of the kernel.
        stride: Step.
        padding: Zeros around the input.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.scale = 1 / math.sqrt(num_in * size**2)
        self.weight = nn.Parameter(torch.randn(num_out, num_in, size, size, generator=rng))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, stride=self.stride, padding=self.padding)


class BiasLeakyReLU(nn.Module):
    """Bias, leaky ReLU of slope 0.2 and a gain.

    Args:
        num: Channels.
        gain: sqrt(2) in StyleGAN2; 1 in the discriminators of the volume.
    """

    def __init__(self, num: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.gain = gain
        self.bias = nn.Parameter(torch.zeros(num))

    def forward(self, x: Tensor) -> Tensor:
        return bias_act(x, self.bias, activation="lrelu", gain=self.gain / math.sqrt(2))


class Blur(nn.Module):
    """A FIR filter of four taps.

    Args:
        padding: Zeros before and after, in both directions.
        gain: Scale of the stored kernel.
    """

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], gain: float = 1.0) -> None:
        super().__init__()
        self.padding = padding
        self.register_buffer("kernel", fir_kernel(TAPS) * gain)

    def forward(self, x: Tensor) -> Tensor:
        return upfirdn2d(x, self.kernel, padding=(*self.padding, *self.padding))


class Upsample(nn.Module):
    """Twice the height and width, smoothed; the kernel is stored with its gain."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", fir_kernel(TAPS) * _UP_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        return upfirdn2d(x, self.kernel, up=2, padding=(2, 1, 2, 1))


class ModulatedConv(nn.Module):
    """Convolution with weights that a style code scales.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        size: Side of the kernel.
        style_dim: Width of style codes.
        demodulate: Scale every output channel to unit expected variance.
        up: Double height and width.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        size: int,
        style_dim: int,
        *,
        demodulate: bool = True,
        up: bool = False,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.demodulate = demodulate
        self.scale = 1 / math.sqrt(num_in * size**2)
        self.weight = nn.Parameter(torch.randn(1, num_out, num_in, size, size, generator=rng))
        self.modulation = EqualisedLinear(style_dim, num_in, bias=1.0, rng=rng)
        self.blur = Blur((1, 1), _UP_GAIN) if up else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return [b, o, h, w] of x [b, i, h, w], or twice the size, with style codes [b, d]."""
        return modulated_conv2d(
            x,
            self.weight[0] * self.scale,
            self.modulation(style),
            demodulate=self.demodulate,
            up_kernel=self.up_kernel,
        )

    @property
    def up_kernel(self) -> Tensor | None:
        """Kernel with sum 1 that smooths the up-sampled map; None without up-sampling."""
        return None if self.blur is None else self.blur.kernel / _UP_GAIN


class NoiseStrength(nn.Module):
    """One factor for all values of a noise map."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return x + (self.weight * noise).to(x.dtype)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU.

    `bias` is a dead parameter of the published layer, kept so that its files fit strictly; the
    bias that is added is the activation's.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        style_dim: Width of style codes.
        up: Double height and width.
        rng: Source of the initial weights.
    """

    def __init__(
        self, num_in: int, num_out: int, style_dim: int, *, up: bool = False, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv(num_in, num_out, 3, style_dim, up=up, rng=rng)
        self.bias = nn.Parameter(torch.zeros(1, num_out, 1, 1))
        self.noise = NoiseStrength()
        self.activate = BiasLeakyReLU(num_out)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        return self.activate(self.noise(self.conv(x, style), noise))


class ToChannels(nn.Module):
    """Modulated 1x1 convolution to image or mask channels, added to those of the size before.

    Args:
        num_in: Input channels.
        num_out: Image or mask channels.
        style_dim: Width of style codes.
        up: What is added to has half the size.
        rng: Source of the initial weights.
    """

    def __init__(
        self, num_in: int, num_out: int, style_dim: int, *, up: bool, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.upsample = Upsample() if up else None
        self.conv = ModulatedConv(num_in, num_out, 1, style_dim, demodulate=False, rng=rng)
        self.bias = nn.Parameter(torch.zeros(1, num_out, 1, 1))

    def forward(self, x: Tensor, style: Tensor, before: Tensor | None) -> Tensor:
        return self.added(at_least_float32(self.conv(x, style)) + self.bias, before)

    def added(self, shown: Tensor, before: Tensor | None) -> Tensor:
        """Return channels added to those of the size before, if there are any."""
        if before is None:
            return shown
        return shown + (before if self.upsample is None else self.upsample(before))
