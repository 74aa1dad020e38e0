"""PStyle-3D's style encoder: a picture to a style code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.nn.feature_pyramid import feature_pyramid
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.ir_se import (
    IR_SE50_UNITS,
    IR_SE50_WIDTHS,
    check_groups,
    initialise_for_rectifiers,
    residual_body,
)
from triptych.nn.public_weights import load_public_tensors

_STEM_SLOPE = 0.2
_HEAD_SLOPE = 0.01


@dataclass(frozen=True)
class StyleEncoderConfig:
    """Sizes of a style encoder; the defaults are the published ones.

    Attributes:
        image_size: Side of the pictures it was made for. The heads halve their maps as often as
            these need; smaller pictures work, larger ones would leave more than one position.
        widths: Channels of the four groups of residual units.
        units: Residual units of each group.
        head_width: Channels of the heads.
        heads: How many rows of the style code come from the coarse, the middle and the fine level.
        w_dim: Width of style codes.
    """

    image_size: int = 512
    widths: tuple[int, ...] = IR_SE50_WIDTHS
    units: tuple[int, ...] = IR_SE50_UNITS
    head_width: int = 512
    heads: tuple[int, int, int] = (3, 4, 7)
    w_dim: int = 512

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(32, 2048),
            widths=(1, 4096),
            units=(1, 64),
            head_width=(1, 4096),
            heads=(0, 64),
            w_dim=(1, 4096),
        )
        check_groups(self.widths, self.units)
        if self.image_size & (self.image_size - 1):
            raise UserError(f"image_size: got {self.image_size}; expected a power of two from 32")
        if sum(self.heads) < 1:
            raise UserError(f"heads: got {self.heads}; expected three counts, not all zero")

    @property
    def num_ws(self) -> int:
        """Rows of a style code."""
        return sum(self.heads)

    @property
    def halvings(self) -> tuple[int, int, int]:
        """How often the heads of the coarse, the middle and the fine level halve their maps."""
        coarse = (self.image_size // 16).bit_length() - 1
        return coarse, coarse + 1, coarse + 2


class StyleHead(nn.Module):
    """One row of a style code from a feature map: halved to a point, then a linear map.

    Args:
        in_channels: Channels of the feature map.
        channels: Channels of the convolutions.
        num_halvings: Strided convolutions.
        w_dim: Width of the style code.
        rng: Source of the initial weights of the linear map.
    """

    def __init__(
        self, in_channels: int, channels: int, num_halvings: int, w_dim: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(num_halvings):
            incoming = channels if index else in_channels
            layers += [nn.Conv2d(incoming, channels, 3, 2, 1), nn.LeakyReLU(_HEAD_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = FullyConnectedLayer(channels, w_dim, rng=rng)

    def forward(self, features: Tensor) -> Tensor:
        """Return rows [b, w_dim] of maps [b, c, h, w]."""
        return self.linear(self.convs(features).flatten(1))


class StyleEncoder(nn.Module):
    """IR-SE body behind a stem with instance normalisation, feature pyramid, one head per row.

    Parameter names are the published ones without their prefix `encoder.`. The published training
    leaves the batch norms in training mode, one picture at a time, and its scripts evaluate with
    the running averages: `train()` and `eval()`.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: PStyle-3D's released code; pSp: Richardson et al., Encoding in Style (2021).
    """

    def __init__(self, config: StyleEncoderConfig, *, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        widths, pyramid = config.widths, config.widths[-1]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 1, 1, bias=False),
            nn.InstanceNorm2d(widths[0]),
            nn.LeakyReLU(_STEM_SLOPE),
        )
        self.body = residual_body(widths, config.units)
        self.styles = nn.ModuleList(
            StyleHead(pyramid, config.head_width, halvings, config.w_dim, rng)
            for halvings, count in zip(config.halvings, config.heads, strict=True)
            for _ in range(count)
        )
        self.latlayer1 = nn.Conv2d(widths[2], pyramid, 1)
        self.latlayer2 = nn.Conv2d(widths[1], pyramid, 1)
        initialise_for_rectifiers(self, rng)

    def forward(self, image: Tensor) -> Tensor:
        """Return style codes [b, num_ws, w_dim].

        Args:
            image: Pictures [b, 3, s, s] in [-1, 1], s a power of two from 32 to
                config.image_size. The published code takes larger ones and silently returns
                several codes per picture.

        Raises:
            UserError: The pictures have another shape.
        """
        side, most = image.shape[-1], self.config.image_size
        if image.ndim != 4 or image.shape[1:] != (3, side, side) or side > most or side < 32:
            raise UserError(
                f"the style encoder sees pictures [b, 3, {most}, {most}], or smaller squares: got "
                f"{list(image.shape)}; bring them to that size first"
            )
        levels = self.pyramid(image)
        maps = [
            level
            for level, count in zip(levels, self.config.heads, strict=True)
            for _ in range(count)
        ]
        rows = [head(level) for head, level in zip(self.styles, maps, strict=True)]
        return torch.stack(rows, dim=1)

    def pyramid(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the coarse, middle and fine features of pictures; see `nn.feature_pyramid`."""
        lateral = self.latlayer1, self.latlayer2
        return feature_pyramid(self.input_layer(image), self.body, self.config.units, lateral)

    def start_from_arcface(self, state: Mapping[str, Tensor]) -> None:
        """Take stem convolution and body from ArcFace's public file, as published training does.

        Args:
            state: Tensors of `model_ir_se50.pth` by name.

        Raises:
            UserError: A tensor is missing or has another shape.
        """
        body = {name.removeprefix("body."): t for name, t in state.items() if "body." in name}
        load_public_tensors(self.body, body, "an IR-SE50 ArcFace")
        stem = {"weight": state["input_layer.0.weight"]} if "input_layer.0.weight" in state else {}
        load_public_tensors(self.input_layer[0], stem, "an IR-SE50 ArcFace")
