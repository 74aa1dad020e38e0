"""Sizes and quirks of 3DPE's encoder and of Live3D's, from which it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from triptych.config import check_fields
from triptych.errors import UserError, check_whole

Layout = Literal["LT", "Normal"]
Coordinates = Literal["pixels", "unit"]

IMAGE_MULTIPLE = 16
"""Height and width of an input are multiples of this."""
_WIDEST = 8192
_MOST_BLOCKS = 64


def _check_divisible(name: str, number: int, divisor: int) -> None:
    if number % divisor:
        raise UserError(f"{name}: got {number}; expected a multiple of {divisor}")


@dataclass(frozen=True)
class PromptBranchConfig:
    """The branch that turns a prompt into tokens and lets the photo attend to them.

    Attributes:
        image_size: Side of the reference picture in pixels; others are resized.
        antialias: Whether that resizing, bicubic, is antialiased. Published weights were trained
            without; see `preprocessing.reference_input`.
        patch_size: Side of a patch of the reference.
        width: Width of tokens.
        depth: Transformer blocks.
        heads: Attention heads of each.
        mlp_ratio: Hidden width of their perceptrons, in widths.
        query_channels: Channels of the photo's high features before they become queries.
    """

    image_size: int = 224
    antialias: bool = False
    patch_size: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: int = 4
    query_channels: int = 96

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(8, 1024),
            patch_size=(1, 256),
            width=(4, _WIDEST),
            depth=(1, _MOST_BLOCKS),
            heads=(1, _MOST_BLOCKS),
            mlp_ratio=(1, 16),
            query_channels=(1, _WIDEST),
        )
        _check_divisible("image_size", self.image_size, self.patch_size)
        _check_divisible("width", self.width, self.heads)
        _check_divisible("width", self.width, 4)

    @property
    def grid_size(self) -> int:
        """Patches along each side of the reference."""
        return self.image_size // self.patch_size


@dataclass(frozen=True)
class TriplaneEncoderConfig:
    """Everything that defines an encoder; the defaults are 3DPE's.

    Attributes:
        layout: "LT" is 3DPE's and Live3D's light network; "Normal" is Live3D's larger one, which
            has no prompt. They differ in strides, activations and in what the last part reads.
        image_size: Side of the photo in pixels; others are resized.
        coordinates: What the two added input channels hold: row and column as whole numbers of
            pixels, as published, or from -1 to 1.
        trunk_widths: Channels of the two groups of residual blocks; the first also of the stem.
        trunk_blocks: Residual blocks of each.
        pyramid_width: Channels of every branch of the atrous pyramid.
        pyramid_rates: Dilation of its three 3 x 3 branches.
        low_width: Width of the low branch's tokens.
        low_blocks: Its transformer blocks.
        low_heads: Attention heads of each.
        low_outputs: Widths of its last convolutions: two in LT, three in Normal.
        high_widths: Widths of the high branch's convolutions; the second has stride 2 in LT.
        fusion_widths: Widths of the convolutions that join high and low features: one in LT, two
            in Normal.
        final_width: Width of the last part's tokens.
        final_heads: Attention heads of its block.
        output_widths: Widths of its last convolutions, before the one that makes the planes: four
            in LT, three in Normal.
        plane_channels: Channels of each of the three planes.
        whitened: Whether planes are predicted in units of a generator's mean plane and spread,
            which are buffers then. Published networks predict the planes themselves.
        mlp_ratio: Hidden width of perceptrons outside the prompt branch, in widths.
        prompt: The prompt branch; None is Live3D: a photo becomes planes as it is.
        keeps_base: Whether the plane branch of the base that edits were learned over is kept beside
            their own, so that the unedited head is known too. Published networks do not keep it.
    """

    layout: Layout = "LT"
    image_size: int = 512
    coordinates: Coordinates = "pixels"
    trunk_widths: tuple[int, int] = (64, 128)
    trunk_blocks: tuple[int, int] = (3, 4)
    pyramid_width: int = 256
    pyramid_rates: tuple[int, int, int] = (12, 24, 36)
    low_width: int = 1024
    low_blocks: int = 2
    low_heads: int = 4
    low_outputs: tuple[int, ...] = (128, 128)
    high_widths: tuple[int, ...] = (64, 128, 128, 128, 128, 128, 128)
    fusion_widths: tuple[int, ...] = (256,)
    final_width: int = 1024
    final_heads: int = 2
    output_widths: tuple[int, ...] = (256, 128, 128, 96)
    plane_channels: int = 32
    whitened: bool = False
    mlp_ratio: int = 2
    prompt: PromptBranchConfig | None = PromptBranchConfig()
    keeps_base: bool = False

    def __post_init__(self) -> None:
        widths = (1, _WIDEST)
        check_fields(
            self,
            image_size=(16, 2048),
            trunk_widths=widths,
            trunk_blocks=(1, _MOST_BLOCKS),
            pyramid_width=widths,
            pyramid_rates=(1, 1024),
            low_width=widths,
            low_blocks=(1, _MOST_BLOCKS),
            low_heads=(1, _MOST_BLOCKS),
            low_outputs=widths,
            high_widths=widths,
            fusion_widths=widths,
            final_width=widths,
            final_heads=(1, _MOST_BLOCKS),
            output_widths=widths,
            plane_channels=(1, 256),
            mlp_ratio=(1, 16),
        )
        light = self.layout == "LT"
        for name, expected in (
            ("low_outputs", 2 if light else 3),
            ("fusion_widths", 1 if light else 2),
            ("output_widths", 4 if light else 3),
        ):
            if len(getattr(self, name)) != expected:
                raise UserError(
                    f"{name}: got {len(getattr(self, name))} widths; expected {expected} in the "
                    f"layout {self.layout}"
                )
        check_whole("high_widths: convolutions", len(self.high_widths), 2, _MOST_BLOCKS)
        for name, width, divisor in (
            ("image_size", self.image_size, IMAGE_MULTIPLE),
            ("low_width", self.low_width, math.lcm(4, self.low_heads)),
            ("final_width", self.final_width, math.lcm(4, self.final_heads)),
        ):
            _check_divisible(name, width, divisor)
        if self.prompt is not None and not light:
            raise UserError("only the layout LT has a prompt branch; set prompt to null")
        if self.keeps_base and self.prompt is None:
            raise UserError("an encoder without a prompt is its own base; set keeps_base to false")

    @property
    def plane_size(self) -> int:
        """Side of the planes: half of the photo's."""
        return self.image_size // 2


def published_encoder() -> TriplaneEncoderConfig:
    """Return 3DPE's encoder: 512 pixels to planes of 3 x 32 x 256 x 256."""
    return TriplaneEncoderConfig()


def live3d_light_encoder() -> TriplaneEncoderConfig:
    """Return Live3D's light encoder ("LT"), the base of 3DPE."""
    return TriplaneEncoderConfig(prompt=None)


def live3d_encoder() -> TriplaneEncoderConfig:
    """Return Live3D's larger encoder ("Normal")."""
    return TriplaneEncoderConfig(
        layout="Normal",
        low_blocks=5,
        low_outputs=(128, 128, 96),
        high_widths=(64, 96, 96, 96, 96),
        fusion_widths=(256, 128),
        output_widths=(256, 128, 128),
        prompt=None,
    )


def avatar_encoder(plane_size: int = 128, plane_channels: int = 16) -> TriplaneEncoderConfig:
    """Return the small encoder of photos of avatars, without a prompt branch."""
    return TriplaneEncoderConfig(
        image_size=2 * plane_size,
        coordinates="unit",
        trunk_widths=(24, 48),
        trunk_blocks=(2, 2),
        pyramid_width=64,
        pyramid_rates=(3, 6, 9),
        low_width=192,
        low_outputs=(48, 48),
        high_widths=(24, 48, 48, 48),
        fusion_widths=(48,),
        final_width=192,
        final_heads=2,
        output_widths=(48, 40, 32, 32),
        plane_channels=plane_channels,
        whitened=True,
        prompt=None,
    )


def avatar_prompt() -> PromptBranchConfig:
    """Return the prompt branch of avatars: references of 128 pixels as 64 patches."""
    return PromptBranchConfig(
        image_size=128,
        antialias=True,
        width=192,
        depth=4,
        heads=4,
        mlp_ratio=2,
        query_channels=20,
    )
