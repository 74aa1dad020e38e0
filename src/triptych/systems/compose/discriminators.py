"""The three published discriminators: of the rendered volume, of one region, of final pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.config import check_fields
from triptych.nn.discriminator import append_group_spread
from triptych.systems.compose.stylegan_layers import (
    BiasLeakyReLU,
    Blur,
    EqualisedConv,
    EqualisedLinear,
)

_LARGEST_GROUP = 4
_SLOPE = 0.2
_HALF_POWER = math.sqrt(2)


@dataclass(frozen=True)
class DiscriminatorWidths:
    """Channels of a discriminator at each size, from the size of its input downwards.

    Attributes:
        widths: Channels at the input's size, at half of it, and so on.
        num_regions: Masks, or classes of the semantic discriminator.
    """

    widths: tuple[int, ...]
    num_regions: int = 9

    def __post_init__(self) -> None:
        check_fields(self, widths=(1, 4096), num_regions=(1, 64))


VOLUME_WIDTHS = DiscriminatorWidths((128, 256, 400, 400, 400, 400))
SEMANTIC_WIDTHS = DiscriminatorWidths((256, 512, 512, 512, 512))
FULL_WIDTHS = DiscriminatorWidths((64, 128, 256, 512, 512, 512, 512, 512))


class VolumeConv(nn.Module):
    """Plain convolution with bias, or convolution, bias and leaky ReLU without gain.

    Args:
        num_in: Input channels.
        num_out: Output channels.
        size: Side of the kernel; the border is not padded.
        activated: With the leaky ReLU, whose bias then stands in it.
        rng: Source of the initial weights.
    """

    def __init__(
        self, num_in: int, num_out: int, size: int, *, activated: bool, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.conv = plain_conv(num_in, num_out, size, bias=not activated, rng=rng)
        self.activation = BiasLeakyReLU(num_out, gain=1.0) if activated else None
        if self.activation is not None:
            limit = 1 / math.sqrt(num_in * size**2)
            draw = torch.rand(num_out, generator=rng)
            self.activation.bias = nn.Parameter((draw * 2 - 1) * limit)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.activation is None else self.activation(x)


class CoordinateConv(nn.Module):
    """A 3x3 convolution that also reads the row and the column of each pixel, in [-1, 1]."""

    def __init__(self, num_in: int, num_out: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.conv = plain_conv(num_in + 2, num_out, 3, bias=False, padding=1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        rows = torch.linspace(-1, 1, height).to(x)[:, None].expand(batch, 1, height, width)
        columns = torch.linspace(-1, 1, width).to(x)[None].expand(batch, 1, height, width)
        return self.conv(torch.cat([x, rows, columns], dim=1))


class ActivatedCoordinateConv(nn.Module):
    """Coordinate convolution, bias and leaky ReLU without gain."""

    def __init__(self, num_in: int, num_out: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.conv = CoordinateConv(num_in, num_out, rng=rng)
        self.activation = BiasLeakyReLU(num_out, gain=1.0)
        limit = 1 / math.sqrt((num_in + 2) * 9)
        draw = torch.rand(num_out, generator=rng)
        self.activation.bias = nn.Parameter((draw * 2 - 1) * limit)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.conv(x))


class VolumeBlock(nn.Module):
    """Two coordinate convolutions beside a skip; the size is halved by averaging."""

    def __init__(self, num_in: int, num_out: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.conv1 = ActivatedCoordinateConv(num_in, num_out, rng=rng)
        self.conv2 = ActivatedCoordinateConv(num_out, num_out, rng=rng)
        differ = num_in != num_out
        self.skip = VolumeConv(num_in, num_out, 1, activated=False, rng=rng) if differ else None

    def forward(self, x: Tensor) -> Tensor:
        past = F.avg_pool2d(x, 2)
        if self.skip is not None:
            past = self.skip(past)
        return (F.avg_pool2d(self.conv2(self.conv1(x)), 2) + past) / _HALF_POWER


class VolumeDiscriminator(nn.Module):
    """Scores a rendered image with all its masks, and guesses its camera.

    Image and masks go through a tower each down to 2 pixels; the towers are summed.

    Args:
        config: Widths.
        rng: Source of the initial weights; None starts from a fixed seed.
    """

    def __init__(
        self, config: DiscriminatorWidths = VOLUME_WIDTHS, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        widths = config.widths
        self.convs_img = volume_tower(3, widths, activated_stem=True, rng=rng)
        self.convs_seg = volume_tower(config.num_regions, widths, activated_stem=True, rng=rng)
        self.final_conv = VolumeConv(widths[-1] + 1, 3, 2, activated=False, rng=rng)

    def forward(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [b, 1], and azimuth and elevation [b, 2] in radians.

        Args:
            image: [b, 3, h, h] in [-1, 1].
            masks: [b, regions, h, h].
        """
        x = self.convs_img(image) + self.convs_seg(masks)
        out = self.final_conv(with_spread(x)).flatten(1)
        return out[:, :1], out[:, 1:]


class SemanticDiscriminator(nn.Module):
    """Scores one region cut out of a rendered image, and guesses which region it is.

    Args:
        config: Widths.
        rng: Source of the initial weights; None starts from a fixed seed.
    """

    def __init__(
        self, config: DiscriminatorWidths = SEMANTIC_WIDTHS, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        widths = config.widths
        width = widths[-1]
        self.convs_img = volume_tower(3, widths, activated_stem=True, rng=rng)
        self.convs_seg = volume_tower(1, widths, activated_stem=False, rng=rng)
        self.final_conv = VolumeConv(width + 1, width, 3, activated=False, rng=rng)
        self.final_linear = score_head(width * 4, width, 1, rng=rng)
        self.class_linear = score_head(width * 4, width, config.num_regions, rng=rng)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [b, 1] and logits of the regions [b, regions].

        Args:
            image: [b, 3, h, h]; the mask cuts the region out of it.
            mask: [b, 1, h, h]; see `mask_of`.
        """
        x = self.convs_img(image * mask) + self.convs_seg(mask)
        x = self.final_conv(with_spread(x)).flatten(1)
        return self.final_linear(x), self.class_linear(x)


def mask_of(masks: Tensor, regions: Tensor) -> Tensor:
    """Return one mask [b, 1, h, h] of each image.

    Args:
        masks: [b, k, h, h].
        regions: Which mask of each image [b], integers.
    """
    return masks[torch.arange(len(masks), device=masks.device), regions.long()][:, None]


class FullDiscriminator(nn.Module):
    """Scores final images with their masks: StyleGAN2's discriminator with a second tower.

    Args:
        config: Widths.
        rng: Source of the initial weights; None starts from a fixed seed.
    """

    def __init__(
        self, config: DiscriminatorWidths = FULL_WIDTHS, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        width = config.widths[-1]
        self.convs_img = full_tower(3, config.widths, rng=rng)
        self.convs_seg = full_tower(config.num_regions, config.widths, rng=rng)
        self.final_conv = nn.Sequential(*conv_layers(width + 1, width, 3, rng=rng))
        self.final_linear = score_head(width * 16, width, 1, rng=rng)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        """Return scores [b, 1] of images [b, 3, H, H] with masks [b, regions, H, H]."""
        x = self.convs_img(image) + self.convs_seg(masks)
        return self.final_linear(self.final_conv(with_spread(x)).flatten(1))


class FullBlock(nn.Module):
    """Two convolutions beside a skip, all halving the size (StyleGAN2's residual block)."""

    def __init__(self, num_in: int, num_out: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*conv_layers(num_in, num_in, 3, rng=rng))
        self.conv2 = nn.Sequential(*conv_layers(num_in, num_out, 3, down=True, rng=rng))
        self.skip = nn.Sequential(
            *conv_layers(num_in, num_out, 1, down=True, activated=False, rng=rng)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv2(self.conv1(x)) + self.skip(x)) / _HALF_POWER


def volume_tower(
    num_in: int, widths: Sequence[int], *, activated_stem: bool, rng: torch.Generator
) -> nn.Sequential:
    """Return a 1x1 convolution and a block for each halving."""
    stem = VolumeConv(num_in, widths[0], 1, activated=activated_stem, rng=rng)
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return nn.Sequential(stem, *(VolumeBlock(before, width, rng=rng) for before, width in pairs))


def full_tower(num_in: int, widths: Sequence[int], *, rng: torch.Generator) -> nn.Sequential:
    """Return a 1x1 convolution and a block for each halving."""
    stem = nn.Sequential(*conv_layers(num_in, widths[0], 1, rng=rng))
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return nn.Sequential(stem, *(FullBlock(before, width, rng=rng) for before, width in pairs))


def conv_layers(
    num_in: int,
    num_out: int,
    size: int,
    *,
    down: bool = False,
    activated: bool = True,
    rng: torch.Generator,
) -> list[nn.Module]:
    """Return the layers of a convolution: a blur where the size is halved, bias and activation."""
    layers: list[nn.Module] = []
    if down:
        edge = (size + 1) // 2
        layers.append(Blur((edge, edge)))
    padding = 0 if down else size // 2
    stride = 2 if down else 1
    layers.append(EqualisedConv(num_in, num_out, size, stride=stride, padding=padding, rng=rng))
    if activated:
        layers.append(BiasLeakyReLU(num_out))
    return layers


def score_head(num_in: int, width: int, num_out: int, *, rng: torch.Generator) -> nn.Sequential:
    """Return two linear layers with equalised rate."""
    return nn.Sequential(
        EqualisedLinear(num_in, width, activated=True, rng=rng),
        EqualisedLinear(width, num_out, rng=rng),
    )


def with_spread(x: Tensor) -> Tensor:
    """Append the spread over groups of four samples; see `nn.discriminator`.

    The published networks fail where four does not divide the batch; here the largest number up to
    four that does is the group.
    """
    groups = range(min(_LARGEST_GROUP, len(x)), 0, -1)
    return append_group_spread(x, next(size for size in groups if len(x) % size == 0))


def plain_conv(
    num_in: int,
    num_out: int,
    size: int,
    *,
    bias: bool,
    padding: int = 0,
    rng: torch.Generator,
) -> nn.Conv2d:
    """Return a convolution with torch's usual initial weights, drawn from a generator."""
    limit = 1 / math.sqrt(num_in * size**2)
    conv = nn.Conv2d(num_in, num_out, size, padding=padding, bias=bias, device="meta")
    draw = torch.rand(num_out, num_in, size, size, generator=rng)
    conv.weight = nn.Parameter((draw * 2 - 1) * limit)
    if bias:
        conv.bias = nn.Parameter((torch.rand(num_out, generator=rng) * 2 - 1) * limit)
    return conv
