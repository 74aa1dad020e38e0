"""The generator of regions: latents to codes, codes to a volume, rendered maps to pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.models.latents import latent_from_seed
from triptych.ops.placement import device_of
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import camera_rays
from triptych.render.renderer import RenderConfig
from triptych.render.rendering import Rendering, rendering_of
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.region_attributes import attribute_masks
from triptych.systems.compose.region_decoder import RegionDecoder
from triptych.systems.compose.region_field import RegionField
from triptych.systems.compose.region_networks import RegionNetworks
from triptych.systems.compose.region_rays import cast, plan_depths
from triptych.systems.compose.stylegan_layers import BiasLeakyReLU, EqualisedConv

_SLOPE = 0.2
_MEAN_LATENTS = 10_000
_MEAN_SEED = 1234
ENDLESS = 1e10
"""Length of the last interval of a published ray, in published units."""


class MappingLayer(nn.Module):
    """Plain linear layer and leaky ReLU, without gain or equalised rate.

    Args:
        dim: Width.
        rng: Source of the initial weights.
    """

    def __init__(self, dim: int, *, rng: torch.Generator) -> None:
        super().__init__()
        deviation = math.sqrt(2 / ((1 + _SLOPE**2) * dim))
        self.weight = nn.Parameter(torch.randn(dim, dim, generator=rng) * deviation)
        self.bias = nn.Parameter((torch.rand(dim, generator=rng) * 2 - 1) * math.sqrt(1 / dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(F.linear(x, self.weight, self.bias), _SLOPE)


class RegionGenerator(nn.Module):
    """CNeRF's generator; parameter names are those of its released checkpoints.

    Args:
        config: Sizes and quirks.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: Ma et al., CNeRF (2023).
    """

    def __init__(
        self, config: RegionGeneratorConfig, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.style = nn.Sequential(
            *(MappingLayer(config.style_dim, rng=rng) for _ in range(config.mapping_layers))
        )
        self.renderer = RegionNetworks(config, rng=rng)
        self.feature_transfer: nn.Sequential | None = None
        self.decoder: RegionDecoder | None = None
        if config.decoder is not None:
            width = config.decoder.feature_width
            self.feature_transfer = nn.Sequential(
                EqualisedConv(config.hidden, width, 3, padding=1, rng=rng), BiasLeakyReLU(width)
            )
            self.decoder = RegionDecoder(
                config.decoder, config.render_size, config.num_regions, config.style_dim, rng=rng
            )

    def latent(self, seed: int, *, attribute_psi: float = 1.0) -> Tensor:
        """Return the latent [1, d] of a seed; see `models.latents.latent_from_seed`."""
        config = self.config
        latent = latent_from_seed(
            seed, config.style_dim, config.latent_kind, attribute_psi=attribute_psi
        )
        return latent.to(device_of(self))

    def mapping(self, z: Tensor) -> Tensor:
        """Return style codes w [b, d] of latents [b, d]; all regions share the mapping."""
        return self.style(z)

    def codes_of_attributes(self, attributes: Tensor) -> Tensor:
        """Return the codes [b, 2 * regions, d] of avatars' attributes [b, d].

        Each code is mapped from the attributes of its region alone; see `region_attributes`.
        """
        masks = attribute_masks(self.config.regions).to(attributes)
        return self.mapping(attributes[:, None] * masks)

    def codes_of(self, w: Tensor) -> Tensor:
        """Return the codes [b, 2 * regions, d] of a portrait all of whose regions have one w."""
        return w[:, None].expand(-1, self.config.num_codes, -1)

    def decoder_codes(self, w: Tensor) -> Tensor:
        """Return the decoder's style code [b, D] of a volume code w [b, d]."""
        assert self.decoder is not None
        return self.decoder.style(w)

    def shared_decoder_code(self) -> Tensor | None:
        """Return the one style code [1, D] of a decoder that knows no attributes, if there is one.

        Models of attributes keep them from the decoder, so that swaps of regions stay local.
        """
        if self.decoder is None:
            return None
        nobody = torch.zeros(1, self.config.style_dim, device=device_of(self))
        return self.decoder_codes(self.mapping(nobody))

    @torch.no_grad()
    def mean_codes(self) -> tuple[Tensor, Tensor | None]:
        """Return the means [1, d] of w and [1, D] of the decoder's code over many latents."""
        rng = torch.Generator().manual_seed(_MEAN_SEED)
        z = torch.randn(_MEAN_LATENTS, self.config.style_dim, generator=rng)
        w = self.mapping(z.to(device_of(self)))
        of_decoder = None if self.decoder is None else self.decoder_codes(w).mean(0, keepdim=True)
        return w.mean(0, keepdim=True), of_decoder

    def field(self, codes: Tensor) -> RegionField:
        """Return the volume of codes [b, 2 * regions, d], with features where it is decoded."""
        return RegionField(
            self.renderer, codes, self.config, with_features=self.decoder is not None
        )

    def rendering_config(self, *, learns: bool = False) -> RenderConfig:
        """Return how rays are composited.

        Args:
            learns: Keep the softness of surfaces as a tensor, for gradients.
        """
        radius, extent = self.config.view.radius, self.config.half_box
        beta = self.renderer.sigmoid_beta[0] * radius
        return RenderConfig(
            num_coarse=max(4, self.config.sampling.num),
            num_fine=0,
            ray_start=radius - extent,
            ray_end=radius + extent,
            background=self.config.background,
            sdf=SdfRule(beta if learns else float(beta), self.config.last_sample, ENDLESS * radius),
        )

    def render(
        self,
        codes: Tensor,
        camera: Camera,
        *,
        draws: Tensor | None = None,
        num: int | None = None,
        shown: tuple[int, ...] | None = None,
        size: int | None = None,
    ) -> Rendering:
        """Render the volume, without the decoder.

        Args:
            codes: Codes [v or 1, 2 * regions, d].
            camera: v cameras.
            draws: Random numbers of the samples; see `region_rays.plan_depths`.
            num: Samples per ray; the configured number by default.
            shown: See `RegionField`.
            size: Rays along each side; the configured number by default.
        """
        size = size or self.config.render_size
        rays = camera_rays(camera, size)
        field = replace(self.field(codes), camera=camera, shown=shown)
        depths = plan_depths(rays, camera, self.config, num=num, draws=draws)
        rendered = cast(field, rays, depths, self.rendering_config(learns=torch.is_grad_enabled()))
        return rendering_of(rendered, size)

    def decode(
        self, rendering: Rendering, codes: Tensor, noises: list[Tensor] | None = None
    ) -> Rendering:
        """Return the final image and masks of what was rendered.

        Args:
            rendering: From `render`, or of the same form.
            codes: The decoder's style codes [b, D] or [b, k, D].
            noises: Noise maps; the stored ones by default.
        """
        assert self.decoder is not None
        assert rendering.regions is not None
        features = self.decoder_features(rendering)
        image, masks = self.decoder(features, rendering.regions, codes, noises)
        return replace(rendering, image=image, regions=masks)

    def decoder_features(self, rendering: Rendering) -> Tensor:
        """Return what the decoder's first convolution reads [v, c, h, h]."""
        assert self.decoder is not None
        assert self.feature_transfer is not None
        features = (rendering.features[:, 3:] + 1) / 2  # the renderer scales all it composites
        moved: Tensor = self.feature_transfer(features.to(self.decoder.dtype))
        return moved
