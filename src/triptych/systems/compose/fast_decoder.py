"""The decoder with one style multiplied in, for all views of a portrait: the fast form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.nn.styled_convolution import StyledConvolution
from triptych.ops.placement import in_cpu_memory
from triptych.systems.compose.region_decoder import RegionDecoder
from triptych.systems.compose.stylegan_layers import StyledConv, ToChannels


@dataclass(frozen=True, eq=False)
class StyledHead:
    """A `ToChannels` with a style multiplied in.

    Attributes:
        weight: [c, i].
        bias: [c].
        layer: The layer, which up-samples what it is added to.
    """

    weight: Tensor
    bias: Tensor
    layer: ToChannels

    @classmethod
    def of(cls, layer: ToChannels, code: Tensor) -> StyledHead:
        """Multiply the style of a code [1, d] into a layer."""
        conv = layer.conv
        weight = conv.weight[0, :, :, 0, 0] * conv.scale * conv.modulation(code)
        return cls(weight, layer.bias.flatten(), layer)

    def __call__(self, rows: Tensor, before: Tensor | None) -> Tensor:
        """Return channels [1, c, h, h] of rows [h, h, i], added to those of the size before."""
        shown = (rows @ self.weight.T + self.bias).permute(2, 0, 1)[None]
        return self.layer.added(shown, before)


@dataclass(frozen=True, eq=False)
class StyledLevel:
    """The layers of one size.

    Attributes:
        convolutions: One at the first size, then two.
        to_rgb: Head of the image.
        to_seg: Head of the masks.
    """

    convolutions: tuple[StyledConvolution, ...]
    to_rgb: StyledHead
    to_seg: StyledHead


@dataclass(frozen=True, eq=False)
class StyledDecoder:
    """A `RegionDecoder` for one style.

    Attributes:
        levels: From the size of the rays to that of the image.
    """

    levels: tuple[StyledLevel, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, decoder: RegionDecoder, code: Tensor) -> StyledDecoder:
        """Multiply a style code [1, d] into a decoder that `has_fast_form`."""
        noises = iter(decoder.noises.maps())

        def styled(layer: StyledConv) -> StyledConvolution:
            noise, conv = next(noises)[0, 0], layer.conv
            return StyledConvolution.of_parts(
                conv.weight[0] * conv.scale,
                conv.modulation(code)[0],
                layer.activate.bias,
                noise * layer.noise.weight,
                up_kernel=conv.up_kernel,
                size=len(noise),
            )

        levels = []
        for convolutions, to_rgb, to_seg in decoder.levels():
            heads = StyledHead.of(to_rgb, code), StyledHead.of(to_seg, code)
            levels.append(StyledLevel(tuple(map(styled, convolutions)), *heads))
        return cls(tuple(levels))

    @torch.no_grad()
    def __call__(self, features: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return images [v, 3, H, H] and masks [v, regions, H, H] as the decoder does.

        Args:
            features: Features [v, c, h, h] of the first convolution.
            masks: Rendered masks [v, regions, h, h].
        """
        views = [self._view(*view) for view in zip(features.split(1), masks.split(1), strict=True)]
        images, masks_of_views = zip(*views, strict=True)
        return torch.cat(images), torch.cat(masks_of_views)

    def _view(self, features: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        rows = features[0].permute(1, 2, 0).contiguous()
        image: Tensor | None = None
        for level in self.levels:
            for convolution in level.convolutions:
                rows = convolution(rows)
            image, masks = level.to_rgb(rows, image), level.to_seg(rows, masks)
        assert image is not None
        return image, masks


def has_fast_form(decoder: RegionDecoder) -> bool:
    """Say whether `StyledDecoder` computes what a decoder does, where it is."""
    return in_cpu_memory(decoder.conv1.conv.weight) and decoder.dtype == torch.float32
