"""FF3D's Image-to-Triplane network H: one frontal picture to the three planes of a portrait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.nn.spatial_modulation import Modulation, SpatialModulation, resize_bilinear


@dataclass(frozen=True)
class ImageToTriplaneConfig:
    """Sizes and variants of the network; the defaults are those for EG3D's official planes.

    Attributes:
        image_size: Side of the frontal picture in pixels; other sizes are resized.
        plane_size: Side of a plane.
        plane_channels: Channels c of one plane.
        code_size: Side k of the spatial style code.
        code_channels: Channels of the spatial style code.
        encoder_channels: Widths of the encoder at image_size, image_size / 2, ... code_size.
        encoder_attention: Self-attention blocks at the size of the code. The planes XZ and ZX look
            along the height of the picture, so the encoder must carry content across it.
        decoder_channels: Widths at code_size, 2 * code_size, ... plane_size.
        modulation_hidden: Width of the layer shared by gamma and beta of one modulation.
        modulation: Eq. 3 with one map per channel ("full") or one for all ("positional").
        code_pooling: "spatial": the paper's code; "vector": the code averaged over its positions,
            the paper's ablation "w/o spatial w_s".
    """

    image_size: int = 512
    plane_size: int = 256
    plane_channels: int = 32
    code_size: int = 32
    code_channels: int = 512
    encoder_channels: tuple[int, ...] = (32, 64, 128, 256, 512)
    encoder_attention: int = 0
    decoder_channels: tuple[int, ...] = (512, 512, 256, 128)
    modulation_hidden: int = 128
    modulation: Modulation = "full"
    code_pooling: Literal["spatial", "vector"] = "spatial"

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(16, 2048),
            plane_size=(4, 1024),
            plane_channels=(1, 256),
            code_size=(1, 256),
            code_channels=(1, 4096),
            encoder_channels=(1, 4096),
            encoder_attention=(0, 64),
            decoder_channels=(1, 4096),
            modulation_hidden=(1, 4096),
        )
        _check_halvings("encoder_channels", self.encoder_channels, self.code_size, self.image_size)
        _check_halvings("decoder_channels", self.decoder_channels, self.code_size, self.plane_size)

    @property
    def num_modulations(self) -> int:
        """Spatial modulation layers: one at the size of the code, two at each larger size."""
        return 2 * len(self.decoder_channels) - 1


def official_config() -> ImageToTriplaneConfig:
    """Return the size for EG3D's planes: 512 pixels to 3 x 32 x 256 x 256, seven modulations."""
    return ImageToTriplaneConfig()


def avatar_config(plane_size: int = 128, plane_channels: int = 16) -> ImageToTriplaneConfig:
    """Return the embedded size: 128 pixels to 3 x 16 x 128 x 128, seven modulations."""
    return ImageToTriplaneConfig(
        image_size=128,
        plane_size=plane_size,
        plane_channels=plane_channels,
        code_size=16,
        code_channels=192,
        encoder_channels=(32, 64, 128, 192),
        encoder_attention=2,
        decoder_channels=(256, 192, 128, 64),
        modulation_hidden=64,
    )


class ImageToTriplane(nn.Module):
    """Encode a frontal picture to a spatial style code and decode the code to planes.

    The output is `plane_mean + plane_std * prediction`: the two statistics of the generator's
    planes are buffers, so an untrained network predicts the mean plane and every plane channel
    weighs the same in a loss on the prediction.

    Reference:
        FF3D, section 3.2, Eq. 3.
    """

    plane_mean: Tensor
    plane_std: Tensor

    def __init__(self, config: ImageToTriplaneConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _StyleEncoder(config)
        self.decoder = _PlaneDecoder(config)
        size, channels = config.plane_size, config.plane_channels
        self.register_buffer("plane_mean", torch.zeros(3, channels, size, size))
        self.register_buffer("plane_std", torch.ones(3, channels, 1, 1))

    def set_plane_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Store the generator's mean plane [3, c, h, w] and spread per channel [3, c, 1, 1]."""
        self.plane_mean.copy_(mean)
        self.plane_std.copy_(std)

    def encode(self, image: Tensor) -> Tensor:
        """Return the spatial style code [b, code_channels, k, k] of pictures [b, 3, h, w]."""
        image = resize_bilinear(image, self.config.image_size, antialias=True)
        code = self.encoder(image.contiguous(memory_format=torch.channels_last))
        if self.config.code_pooling == "vector":
            return code.mean((2, 3), keepdim=True).expand_as(code)
        return code

    def decode_whitened(self, code: Tensor) -> Tensor:
        """Return planes [b, 3, c, h, w] in units of the plane statistics, before they are added."""
        size, channels = self.config.plane_size, self.config.plane_channels
        prediction = self.decoder(code).float().contiguous()
        return prediction.view(-1, 3, channels, size, size)

    def decode(self, code: Tensor) -> Tensor:
        """Return the planes [b, 3, c, h, w] of spatial style codes [b, code_channels, k, k]."""
        return torch.addcmul(self.plane_mean, self.plane_std, self.decode_whitened(code))

    def forward(self, image: Tensor) -> Tensor:
        """Return the planes [b, 3, c, h, w] of frontal pictures [b, 3, h, w] in [-1, 1]."""
        return self.decode(self.encode(image))


class _StyleEncoder(nn.Module):
    """Residual encoder without normalisation over the batch: fine-tuning sees one picture."""

    def __init__(self, config: ImageToTriplaneConfig) -> None:
        super().__init__()
        widths = config.encoder_channels
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            _HalvingBlock(wide, wider) for wide, wider in zip(widths[:-1], widths[1:], strict=True)
        )
        self.attention = nn.ModuleList(
            _AttentionBlock(widths[-1], config.code_size) for _ in range(config.encoder_attention)
        )
        self.head = nn.Conv2d(widths[-1], config.code_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = F.leaky_relu(self.stem(image), 0.2)
        for block in self.down:
            x = block(x)
        for block in self.attention:
            x = block(x)
        return self.head(x)


class _HalvingBlock(nn.Module):
    """Two convolutions, the second with stride 2, beside an averaged shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.skip(F.avg_pool2d(x, 2))
        y = F.leaky_relu(self.conv0(x), 0.2)
        y = F.leaky_relu(self.conv1(y), 0.2)
        return (y + shortcut) * 0.5**0.5


class _AttentionBlock(nn.Module):
    """Pre-normalised self-attention over the k * k positions, then a two-layer perceptron."""

    def __init__(self, channels: int, size: int, head_width: int = 48) -> None:
        super().__init__()
        self.heads = max(1, channels // head_width)
        self.position = nn.Parameter(torch.randn(1, size * size, channels) * 0.02)
        self.norm0 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.mix = nn.Linear(channels, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2) + self.position
        queries, keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.norm0(tokens)).chunk(3, dim=-1)
        )
        attended = F.scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.mix(attended.transpose(1, 2).flatten(2))
        tokens = tokens + self.narrow(F.gelu(self.widen(self.norm1(tokens))))
        return tokens.transpose(1, 2).reshape(batch, channels, height, width)


class _PlaneDecoder(nn.Module):
    """A learned constant, modulated at every layer by the code; each size adds to the planes."""

    def __init__(self, config: ImageToTriplaneConfig) -> None:
        super().__init__()
        widths = config.decoder_channels
        self.const = nn.Parameter(torch.randn(1, widths[0], config.code_size, config.code_size))
        self.blocks = nn.ModuleList(
            _PlaneBlock(in_width, width, config)
            for in_width, width in zip((None, *widths[:-1]), widths, strict=True)
        )

    def forward(self, code: Tensor) -> Tensor:
        x = self.const.expand(len(code), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        planes: Tensor | None = None
        for block in self.blocks:
            x, contribution = block(x, code)
            if planes is None:
                planes = contribution
            else:
                size = (contribution.shape[-2], contribution.shape[-1])
                planes = resize_bilinear(planes, size) + contribution
        assert planes is not None
        return planes


class _PlaneBlock(nn.Module):
    """One size: (doubling convolution, Eq. 3,) convolution, Eq. 3, and a 1 x 1 plane head."""

    def __init__(
        self, in_channels: int | None, channels: int, config: ImageToTriplaneConfig
    ) -> None:
        super().__init__()
        self.up: nn.ConvTranspose2d | None = None
        self.up_modulation: SpatialModulation | None = None
        if in_channels is not None:
            self.up = nn.ConvTranspose2d(in_channels, channels, 4, stride=2, padding=1)
            self.up_modulation = _modulation(channels, config)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = _modulation(channels, config)
        self.to_planes = nn.Conv2d(channels, 3 * config.plane_channels, 1)
        # A new network predicts the mean plane.
        nn.init.zeros_(self.to_planes.weight)
        nn.init.zeros_(self.to_planes.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        if self.up is not None and self.up_modulation is not None:
            x = F.leaky_relu(self.up_modulation(self.up(x), code), 0.2)
        x = F.leaky_relu(self.modulation(self.conv(x), code), 0.2)
        return x, self.to_planes(x)


def _modulation(channels: int, config: ImageToTriplaneConfig) -> SpatialModulation:
    return SpatialModulation(
        channels, config.code_channels, config.modulation_hidden, config.modulation
    )


def _check_halvings(name: str, widths: tuple[int, ...], small: int, large: int) -> None:
    if not widths or small * 2 ** (len(widths) - 1) != large:
        raise UserError(
            f"{name}: got {len(widths)} widths; expected one for each doubling from {small} to "
            f"{large}, both included"
        )
