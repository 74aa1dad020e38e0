"""An encoder with the renderer of its planes: all that a checkpoint of 3DPE or Live3D holds."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from triptych.camera import Camera, focal_from_fov_deg
from triptych.config import check_fields
from triptych.errors import UserError, shown
from triptych.fields.triplane import TriPlaneDecoder
from triptych.models.eg3d_config import EG3DConfig, ViewConfig
from triptych.models.plane_rendering import PlaneRenderer
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig
from triptych.portrait import TriPlanePortrait
from triptych.render.renderer import Draws
from triptych.render.rendering import Rendering
from triptych.systems.edit.encoder import TriplaneEncoder
from triptych.systems.edit.encoder_config import TriplaneEncoderConfig

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
PUBLISHED_FOV_DEG = 18.837
"""Diagonal field of view of all published cameras."""


@dataclass(frozen=True)
class TextPromptConfig:
    """How words become prompt tokens, in the place of a reference's.

    Attributes:
        encoder: Editor whose text encoder reads them: a name of `triptych models`.
        width: Width of its states.
    """

    encoder: str = "avatar-editor"
    width: int = 128

    def __post_init__(self) -> None:
        check_fields(self, width=(1, 8192))
        if not _NAME.fullmatch(self.encoder):
            raise UserError(
                f"TextPromptConfig.encoder: got {shown(self.encoder)}; expected the name of an "
                "editor of `triptych models`"
            )


def published_rendering() -> EG3DConfig:
    """Return 3DPE's and Live3D's renderer: EG3D's, without limits of activations."""
    return EG3DConfig(
        superresolution=SuperResolutionConfig(conv_clamp=None),
        view=ViewConfig(focal=focal_from_fov_deg(PUBLISHED_FOV_DEG)),
    )


@dataclass(frozen=True)
class PortraitEncoderConfig:
    """Everything that defines a photo-to-portrait network; the defaults are 3DPE's.

    Attributes:
        encoder: From a photo, and a prompt where it has one, to planes.
        rendering: Planes, decoder, rays, super-resolution and cameras; what it says of latents and
            of the backbone's widths is not used.
        text: How words become prompt tokens; None where only references do, as published.
    """

    encoder: TriplaneEncoderConfig = TriplaneEncoderConfig()
    rendering: EG3DConfig = published_rendering()
    text: TextPromptConfig | None = None

    def __post_init__(self) -> None:
        made, read = self.encoder, self.rendering.backbone
        if (made.plane_size, made.plane_channels) != (read.plane_size, read.plane_channels):
            raise UserError(
                f"the encoder makes planes of {made.plane_channels} channels and "
                f"{made.plane_size} pixels; expected {read.plane_channels} and {read.plane_size}, "
                "which the renderer reads"
            )
        if self.text is not None and made.prompt is None:
            raise UserError("an encoder without a prompt branch takes no text; set text to null")


class StyleFreeRenderer(nn.Module):
    """EG3D's decoder and super-resolution network, with a learned constant in place of w."""

    def __init__(self, config: EG3DConfig, rng: torch.Generator) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, 1, config.w_dim, generator=rng))
        decoder = config.decoder
        self.decoder = TriPlaneDecoder(
            config.backbone.plane_channels,
            decoder.num_features,
            num_hidden=decoder.num_hidden,
            lr_multiplier=decoder.lr_multiplier,
            rng=rng,
        )
        self.superresolution: SuperResolution | None = None
        if config.superresolution is not None:
            self.superresolution = SuperResolution(
                decoder.num_features, config.w_dim, config.superresolution, rng=rng
            )


class TextProjection(nn.Sequential):
    """States of a text encoder to prompt tokens."""

    def __init__(self, num_in: int, width: int) -> None:
        super().__init__(nn.LayerNorm(num_in), nn.Linear(num_in, width))


class PortraitEncoder(nn.Module):
    """Photos and prompts to planes, planes to pictures and portraits.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.
    """

    def __init__(
        self, config: PortraitEncoderConfig, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.encoder = TriplaneEncoder(config.encoder, rng=rng)
        self.renderer = StyleFreeRenderer(config.rendering, rng)
        self.text: TextProjection | None = None
        if config.text is not None and config.encoder.prompt is not None:
            self.text = TextProjection(config.text.width, config.encoder.prompt.width)

    def with_base(self, base: PortraitEncoder) -> PortraitEncoder:
        """Return this network with the plane branch of the base that it was trained over.

        Both share what sees the photo, which edits leave as it was.

        Raises:
            UserError: It is the base of another network.
        """
        own, other = self.encoder.EHigh_encoder, base.encoder.EHigh_encoder
        if base.encoder.Ref_encoder is not None or not _equal(own, other):
            raise UserError(
                "the base is not the one that this network was trained over: they see photos "
                "differently; expected a Live3D file with the same first layers"
            )
        encoder = copy.copy(self.encoder)
        encoder._modules = {**self.encoder._modules, "Base_encoder": base.encoder.Final_encoder}
        encoder.config = replace(self.encoder.config, keeps_base=True)
        network = copy.copy(self)
        network._modules = {**self._modules, "encoder": encoder}
        network.config = replace(self.config, encoder=encoder.config)
        return network

    def text_tokens(self, states: Tensor) -> Tensor:
        """Return prompt tokens [b, k, d] of a text encoder's states [b, k, width].

        Raises:
            UserError: The network was not trained with words, or the states have another width.
        """
        if self.text is None or self.config.text is None:
            raise UserError("this network takes no words; give a reference picture instead")
        if states.ndim != 3 or states.shape[2] != self.config.text.width:
            raise UserError(
                f"text states: got {list(states.shape)}; expected [b, k, {self.config.text.width}]"
            )
        return self.text(states)

    @property
    def plane_renderer(self) -> PlaneRenderer:
        """What reads and renders the planes."""
        return PlaneRenderer(
            self.config.rendering, self.renderer.decoder, self.renderer.superresolution
        )

    def render(
        self,
        planes: Tensor,
        camera: Camera,
        *,
        render_size: int | None = None,
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
    ) -> Rendering:
        """Render planes [1 or v, 3, c, h, w] from v cameras; see `PlaneRenderer.render`."""
        return self.plane_renderer.render(
            planes,
            self.renderer.const,
            camera,
            render_size=render_size,
            generator=generator,
            draws=draws,
        )

    def portrait(
        self, planes: Tensor, provenance: Mapping[str, Any] | None = None
    ) -> TriPlanePortrait:
        """Return the portrait of planes [1, 3, c, h, w]."""
        return TriPlanePortrait.of_planes(
            planes,
            self.renderer.const,
            decoder=self.renderer.decoder,
            superresolution=self.renderer.superresolution,
            config=self.config.rendering,
            provenance=provenance,
        )


def _equal(first: nn.Module, second: nn.Module) -> bool:
    """Say whether two modules have the same parameters."""
    own, other = first.state_dict(), second.state_dict()
    return own.keys() == other.keys() and all(
        torch.equal(t, other[name]) for name, t in own.items()
    )
