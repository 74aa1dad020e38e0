"""EG3D's generator: from a latent to three feature planes to pictures from any side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.models.eg3d_config import (
    OFFICIAL_CONFIGS,
    BackboneConfig,
    DecoderConfig,
    EG3DConfig,
    MappingConfig,
    ViewConfig,
    afhqcats512_128_config,
    avatar_config,
    ffhq512_64_config,
    ffhq512_128_config,
    ffhqrebalanced512_64_config,
    ffhqrebalanced512_128_config,
    shapenetcars128_64_config,
)
from triptych.models.latents import latent_from_seed
from triptych.models.plane_rendering import PlaneRenderer
from triptych.nn.mapping_network import MappingNetwork
from triptych.nn.superresolution import SuperResolution
from triptych.nn.synthesis_layers import Edits, NoiseMode
from triptych.nn.synthesis_network import SynthesisNetwork
from triptych.ops.modulated_conv import Modulation
from triptych.render.occupancy import OccupancyGrid, occupancy_grid
from triptych.render.renderer import Draws
from triptych.render.rendering import Rendering

__all__ = [
    "OFFICIAL_CONFIGS",
    "BackboneConfig",
    "DecoderConfig",
    "EG3DConfig",
    "MappingConfig",
    "Rendering",
    "TriPlaneBackbone",
    "TriPlaneGenerator",
    "ViewConfig",
    "afhqcats512_128_config",
    "avatar_config",
    "ffhq512_128_config",
    "ffhq512_64_config",
    "ffhqrebalanced512_128_config",
    "ffhqrebalanced512_64_config",
    "shapenetcars128_64_config",
]


class TriPlaneBackbone(nn.Module):
    """The mapping and synthesis networks, named as in EG3D's checkpoints.

    Args:
        config: Configuration of the whole generator.
        rng: Source of the initial weights.
    """

    def __init__(self, config: EG3DConfig, rng: torch.Generator) -> None:
        super().__init__()
        backbone, mapping = config.backbone, config.mapping
        self.synthesis = SynthesisNetwork(
            config.w_dim,
            backbone.plane_size,
            3 * backbone.plane_channels,
            channel_base=backbone.channel_base,
            channel_max=backbone.channel_max,
            architecture=backbone.architecture,
            gains=backbone.gains,
            options=backbone.layer_options(),
            rng=rng,
        )
        self.mapping = MappingNetwork(
            config.z_dim,
            config.label_dim,
            config.w_dim,
            num_layers=mapping.num_layers,
            embed_features=mapping.embed_features,
            layer_features=mapping.layer_features,
            lr_multiplier=mapping.lr_multiplier,
            normalize_z=mapping.normalize_z,
            rng=rng,
        )


class TriPlaneGenerator(nn.Module):
    """Latents to style codes to planes to pictures; every step is a pure function.

    Parameter names are those of EG3D's official checkpoints.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: Chan et al., Efficient Geometry-aware 3D Generative Adversarial Networks (2022).
    """

    def __init__(self, config: EG3DConfig, *, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.backbone = TriPlaneBackbone(config, rng)
        if config.superresolution is not None:
            self.superresolution = SuperResolution(
                config.decoder.num_features, config.w_dim, config.superresolution, rng=rng
            )
        self.decoder = TriPlaneDecoder(
            config.backbone.plane_channels,
            config.decoder.num_features,
            num_hidden=config.decoder.num_hidden,
            lr_multiplier=config.decoder.lr_multiplier,
            rng=rng,
        )

    @property
    def num_ws(self) -> int:
        """Style slots of the backbone: 14 in official models, 12 in avatar models."""
        return self.backbone.synthesis.num_ws

    def latent(self, seed: int, *, attribute_psi: float = 1.0) -> Tensor:
        """Return the latent [1, z_dim] of a seed, the same on every device.

        Args:
            seed: Whole number from 0 up.
            attribute_psi: For latents of attributes, 1 is the seed's avatar and 0 the average one.
        """
        config = self.config
        z = latent_from_seed(seed, config.z_dim, config.latent_kind, attribute_psi=attribute_psi)
        return z.to(next(self.parameters()).device)

    def mapping(
        self,
        z: Tensor,
        label: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Map latents to style codes [b, num_ws, w_dim].

        Args:
            z: Latents [b, z_dim].
            label: Camera labels [b, 25] to condition on; None takes the frontal camera. Models
                without pose conditioning ignore it.
            truncation_psi: 1 keeps the codes, 0 gives the mean code.
            truncation_cutoff: Only the first so many slots are truncated; None truncates all.
        """
        w = self.backbone.mapping(z, self._conditioning(z, label))
        ws = w[:, None].repeat(1, self.num_ws, 1)
        return self.backbone.mapping.truncate(ws, truncation_psi, truncation_cutoff)

    def planes(
        self,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Tensor:
        """Synthesize the planes [b, 3, c, h, w] (float32) of style codes [b, num_ws, w_dim].

        Args:
            ws: Style codes.
            noise_mode: See `SynthesisLayer`.
            generator: Source of random noise.
            modulation: Where the styles are multiplied in, see `SynthesisLayer`: "activations" is
                faster in optimisation, and equal up to rounding.
            edits: Changes of layers; see `nn.synthesis_layers.LayerEdit`.
        """
        self.check_codes(ws)
        image = self.backbone.synthesis(
            ws, noise_mode=noise_mode, generator=generator, modulation=modulation, edits=edits
        )
        return image.contiguous().unflatten(1, (3, -1))

    def check_codes(self, ws: Tensor) -> None:
        """Raise UserError unless the style codes are [b, num_ws, w_dim]."""
        if ws.shape[1:] != (self.num_ws, self.config.w_dim):
            raise UserError(
                f"style codes have the wrong shape: got {list(ws.shape)}; "
                f"expected [b, {self.num_ws}, {self.config.w_dim}]"
            )

    def field(self, planes: Tensor) -> TriPlaneField:
        """Return the radiance field of planes [b, 3, c, h, w]."""
        return self._renderer.field(planes)

    def occupancy(self, planes: Tensor, *, size: int = 64) -> OccupancyGrid:
        """Return the occupancy grid of one portrait [1, 3, c, h, w], to render it faster."""
        if planes.shape[0] != 1:
            raise UserError(
                f"an occupancy grid belongs to one portrait: got planes of {planes.shape[0]}"
            )
        field = self.field(planes)
        return occupancy_grid(field, self.config.rendering, size=size, device=planes.device)

    def render(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera,
        *,
        render_size: int | None = None,
        occupancy: OccupancyGrid | None = None,
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
        modulation: Modulation | None = None,
        edits: Edits | None = None,
    ) -> Rendering:
        """Render planes [1 or v, 3, c, h, w]; see `PlaneRenderer.render`."""
        return self._renderer.render(
            planes,
            ws,
            camera,
            render_size=render_size,
            occupancy=occupancy,
            generator=generator,
            draws=draws,
            modulation=modulation,
            edits=edits,
        )

    def synthesis(
        self,
        ws: Tensor,
        camera: Camera,
        *,
        render_size: int | None = None,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
        edits: Edits | None = None,
    ) -> Rendering:
        """Synthesize the planes of style codes and render them; see `planes` and `render`."""
        planes = self.planes(ws, noise_mode=noise_mode, generator=generator, edits=edits)
        return self.render(
            planes,
            ws,
            camera,
            render_size=render_size,
            generator=generator,
            draws=draws,
            edits=edits,
        )

    def forward(self, z: Tensor, camera: Camera, label: Tensor | None = None) -> Rendering:
        """Map latents to pictures with default settings."""
        return self.synthesis(self.mapping(z, label), camera)

    def _conditioning(self, z: Tensor, label: Tensor | None) -> Tensor | None:
        if not self.config.label_dim:
            return None
        if label is None:
            label = self.config.view.camera().label25().to(z.device).expand(z.shape[0], -1)
        scale = 0.0 if self.config.mapping.zero_label else self.config.mapping.label_scale
        return label * scale

    @property
    def _renderer(self) -> PlaneRenderer:
        head = None if self.config.superresolution is None else self.superresolution
        return PlaneRenderer(self.config, self.decoder, head)
