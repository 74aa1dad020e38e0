"""An encoder with the renderer of its planes: all that a checkpoint of 3DPE or Live3D holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from triptych.camera import Camera, focal_from_fov_deg
from triptych.errors import UserError
from triptych.fields.triplane import TriPlaneDecoder
from triptych.models.eg3d_config import EG3DConfig, ViewConfig
from triptych.models.plane_rendering import PlaneRenderer
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig
from triptych.portrait import TriPlanePortrait
from triptych.render.renderer import Draws
from triptych.render.rendering import Rendering
from triptych.systems.edit.encoder import TriplaneEncoder
from triptych.systems.edit.encoder_config import TriplaneEncoderConfig

PUBLISHED_FOV_DEG = 18.837
"""Diagonal field of view of all published cameras."""


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
    """

    encoder: TriplaneEncoderConfig = TriplaneEncoderConfig()
    rendering: EG3DConfig = published_rendering()

    def __post_init__(self) -> None:
        made, read = self.encoder, self.rendering.backbone
        if (made.plane_size, made.plane_channels) != (read.plane_size, read.plane_channels):
            raise UserError(
                f"the encoder makes planes of {made.plane_channels} channels and "
                f"{made.plane_size} pixels; expected {read.plane_channels} and {read.plane_size}, "
                "which the renderer reads"
            )


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
