"""The decoder: rendered features and masks to the final image and the final masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.systems.compose.generator_config import RegionDecoderConfig
from triptych.systems.compose.stylegan_layers import (
    EqualisedLinear,
    PixelNorm,
    StyledConv,
    ToChannels,
)

_MAPPING_RATE = 0.01


class StoredNoise(nn.Module):
    """One noise map for each styled convolution, as `noise_0`, `noise_1`, ...

    Args:
        sizes: Side of each map.
        rng: Source of the maps.
    """

    def __init__(self, sizes: list[int], *, rng: torch.Generator) -> None:
        super().__init__()
        self.num = len(sizes)
        for index, size in enumerate(sizes):
            self.register_buffer(f"noise_{index}", torch.randn(1, 1, size, size, generator=rng))

    def maps(self) -> list[Tensor]:
        """Return the maps [1, 1, h, h] in order."""
        return [self.get_buffer(f"noise_{index}") for index in range(self.num)]


class RegionDecoder(nn.Module):
    """StyleGAN2's synthesis with two outputs that grow side by side: colours and region masks.

    The image starts from nothing: the rendered colours are not added. The masks start from the
    rendered masks.

    Args:
        config: Sizes.
        render_size: Side of the rendered maps.
        num_regions: Number of masks.
        code_dim: Width of the volume's style code, which the decoder maps to its own.
        rng: Source of the initial weights.

    Reference: Ma et al., CNeRF (2023), section 3.3.
    """

    def __init__(
        self,
        config: RegionDecoderConfig,
        render_size: int,
        num_regions: int,
        code_dim: int,
        *,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        dim, widths = config.style_dim, config.widths
        inputs = [code_dim] + [dim] * (config.mapping_layers - 1)
        self.style = nn.Sequential(
            PixelNorm(),
            *(
                EqualisedLinear(num, dim, lr_multiplier=_MAPPING_RATE, activated=True, rng=rng)
                for num in inputs
            ),
        )
        self.conv1 = StyledConv(config.feature_width, widths[0], dim, rng=rng)
        self.to_rgb1 = ToChannels(widths[0], 3, dim, up=False, rng=rng)
        self.to_seg1 = ToChannels(widths[0], num_regions, dim, up=False, rng=rng)
        self.convs, self.to_rgbs, self.to_segs = (nn.ModuleList() for _ in range(3))
        noise_sizes = [render_size]
        for level, (before, width) in enumerate(zip(widths[:-1], widths[1:], strict=True), 1):
            self.convs.append(StyledConv(before, width, dim, up=True, rng=rng))
            self.convs.append(StyledConv(width, width, dim, rng=rng))
            self.to_rgbs.append(ToChannels(width, 3, dim, up=True, rng=rng))
            self.to_segs.append(ToChannels(width, num_regions, dim, up=True, rng=rng))
            noise_sizes += [render_size * 2**level] * 2
        self.noises = StoredNoise(noise_sizes, rng=rng)

    @property
    def num_codes(self) -> int:
        """Style codes that the layers read."""
        return 2 * len(self.to_rgbs) + 2

    @property
    def dtype(self) -> torch.dtype:
        """What the layers compute in; images and masks come out in float32."""
        return self.conv1.conv.weight.dtype

    def levels(self) -> list[tuple[list[StyledConv], ToChannels, ToChannels]]:
        """Return the convolutions, the head of the image and that of the masks, size by size."""
        convs = [conv for conv in self.convs if isinstance(conv, StyledConv)]
        heads: list[list[ToChannels]] = [
            [head for head in own if isinstance(head, ToChannels)]
            for own in (self.to_rgbs, self.to_segs)
        ]
        pairs = [list(pair) for pair in zip(convs[::2], convs[1::2], strict=True)]
        later = zip(pairs, *heads, strict=True)
        return [([self.conv1], self.to_rgb1, self.to_seg1), *later]

    def synthesis_to(self, dtype: torch.dtype | None) -> None:
        """Let all layers but the mapping compute in a dtype; None leaves them."""
        for name, module in self.named_children():
            if name not in ("style", "noises"):
                module.to(dtype=dtype)

    def forward(
        self,
        features: Tensor,
        masks: Tensor,
        codes: Tensor,
        noises: list[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return image [b, 3, H, H] and masks [b, regions, H, H].

        Args:
            features: Features [b, c, h, h] of the first convolution.
            masks: Rendered masks [b, regions, h, h].
            codes: The decoder's style codes [b, num_codes, d], or one for all layers [b, d].
            noises: Noise maps; the stored ones by default.
        """
        if codes.ndim == 2:
            codes = codes[:, None].expand(-1, self.num_codes, -1)
        layers, own = codes.unbind(dim=1), noises or self.noises.maps()
        x, image, place = features.to(self.dtype), None, 0
        for convs, to_rgb, to_seg in self.levels():
            for conv in convs:
                x = conv(x, layers[place], own[place])
                place += 1
            image = to_rgb(x, layers[place], image)
            masks = to_seg(x, layers[place], masks)
        assert image is not None
        return image, masks
