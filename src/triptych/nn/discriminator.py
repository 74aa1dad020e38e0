"""EG3D's dual discriminator of pairs of final and raw images, conditioned on the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.config import check_fields
from triptych.nn.convolution import RESAMPLE_FILTER, Conv2dLayer
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.mapping_network import MappingNetwork
from triptych.nn.synthesis_network import channels_at
from triptych.ops.resize import resize
from triptych.ops.upfirdn2d import fir_kernel

_HALF_POWER = math.sqrt(0.5)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Size and conditioning of a dual discriminator; the defaults are EG3D's for 512 pixels.

    Attributes:
        image_size: Height and width of the images it sees.
        label_dim: Width of the camera label; 0 for an unconditional discriminator.
        channel_base: Channels times resolution.
        channel_max: Most channels of any block.
        conv_clamp: Activation limit; official ones have it from training in half precision.
        num_mapping_layers: Layers that map the label.
        group_size: Samples whose spread is compared; None takes the whole batch.
    """

    image_size: int = 512
    label_dim: int = 25
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = 256.0
    num_mapping_layers: int = 8
    group_size: int | None = 4

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(8, 2048),
            label_dim=(0, 4096),
            channel_base=(1, 2**20),
            channel_max=(1, 4096),
            conv_clamp=(1e-3, 1e6),
            num_mapping_layers=(1, 64),
            group_size=(1, 4096),
        )


class DiscriminatorBlock(nn.Module):
    """Two convolutions beside a skip, all halving the size (residual architecture).

    Args:
        num_in: Channels of the input; 0 in the first block, which reads the images.
        num_middle: Channels between the convolutions.
        num_out: Channels of the output.
        image_channels: Channels of the images.
        clamp: Activation limit.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_middle: int,
        num_out: int,
        image_channels: int,
        clamp: float | None,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.register_buffer("resample_filter", fir_kernel(RESAMPLE_FILTER))
        self.reads_image = num_in == 0
        if self.reads_image:
            self.fromrgb = Conv2dLayer(
                image_channels, num_middle, 1, activation="lrelu", clamp=clamp, rng=rng
            )
        self.conv0 = Conv2dLayer(
            num_in or num_middle, num_middle, 3, activation="lrelu", clamp=clamp, rng=rng
        )
        self.conv1 = Conv2dLayer(
            num_middle, num_out, 3, activation="lrelu", down=True, clamp=clamp, rng=rng
        )
        self.skip = Conv2dLayer(num_in or num_middle, num_out, 1, bias=False, down=True, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        if self.reads_image:
            x = self.fromrgb(x)
        past = self.skip(x, gain=_HALF_POWER)
        return past + self.conv1(self.conv0(x), gain=_HALF_POWER)


class DiscriminatorEpilogue(nn.Module):
    """The last 4x4 map and the batch's spread to one vector.

    Args:
        num_in: Input channels.
        num_out: Output features.
        group_size: See `DiscriminatorConfig`.
        clamp: Activation limit of the convolution.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        group_size: int | None,
        clamp: float | None,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.group_size = group_size
        self.conv = Conv2dLayer(num_in + 1, num_in, 3, activation="lrelu", clamp=clamp, rng=rng)
        self.fc = FullyConnectedLayer(num_in * 16, num_in, activation="lrelu", rng=rng)
        self.out = FullyConnectedLayer(num_in, num_out, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(append_group_spread(x, self.group_size))
        return self.out(self.fc(x.flatten(1)))


def append_group_spread(x: Tensor, group_size: int | None) -> Tensor:
    """Append one channel: the standard deviation over a group of samples, averaged over features.

    Args:
        x: Activations [b, c, h, w]; samples i and i + b / group_size share a group.
        group_size: Samples per group; it must divide b. None, or more than b, takes b.

    Reference: Karras et al., Progressive Growing of GANs (2018), section 3.
    """
    batch, _, height, width = x.shape
    group = batch if group_size is None else min(group_size, batch)
    grouped = x.unflatten(0, (group, -1))
    variance = (grouped - grouped.mean(dim=0)).square().mean(dim=0)
    spread = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))  # [b / group]
    channel = spread.repeat(group).reshape(batch, 1, 1, 1).expand(-1, 1, height, width)
    return torch.cat([x, channel.to(x.dtype)], dim=1)


class DualDiscriminator(nn.Module):
    """Scores pairs of final and raw images; the camera enters by projection.

    Parameter names are those of EG3D's official checkpoints.

    Args:
        config: Size and conditioning.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: Chan et al., EG3D (2022), section 4.4.
    """

    def __init__(self, config: DiscriminatorConfig, *, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.register_buffer("resample_filter", fir_kernel(RESAMPLE_FILTER))
        sizes = [2**level for level in range(int(math.log2(config.image_size)), 2, -1)]
        widths = {
            size: channels_at(size, config.channel_base, config.channel_max) for size in [*sizes, 4]
        }
        last_width = widths[4]
        self.sizes = sizes
        for size in sizes:
            is_first = size == config.image_size
            block = DiscriminatorBlock(
                0 if is_first else widths[size],
                widths[size],
                widths[size // 2],
                6,
                config.conv_clamp,
                rng,
            )
            self.add_module(f"b{size}", block)
        if config.label_dim:
            self.mapping = MappingNetwork(
                0,
                config.label_dim,
                last_width,
                num_layers=config.num_mapping_layers,
                track_average=False,
                rng=rng,
            )
        num_out = last_width if config.label_dim else 1
        self.b4 = DiscriminatorEpilogue(
            last_width, num_out, config.group_size, config.conv_clamp, rng
        )

    def forward(self, image: Tensor, image_raw: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits [b, 1].

        Args:
            image: Final images [b, 3, image_size, image_size].
            image_raw: Images before super-resolution [b, 3, h, h]; resized to the final size.
            label: Camera labels [b, label_dim]; None when unconditional.
        """
        raw = resize(image_raw, image.shape[-1], filter_mode="antialiased")
        x = torch.cat([image, raw], dim=1)
        for size in self.sizes:
            x = self.get_submodule(f"b{size}")(x)
        x = self.b4(x)
        if not self.config.label_dim:
            return x
        projection = self.mapping(None, label)
        return (x * projection).sum(dim=1, keepdim=True) / math.sqrt(x.shape[1])
