"""EG3D's generator: from a latent to three feature planes to pictures from any side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from triptych.camera import FOCAL, RADIUS, TARGET, Camera, look_at_camera
from triptych.errors import UserError
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.nn.mapping_network import MappingNetwork
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig
from triptych.nn.synthesis_block import Architecture
from triptych.nn.synthesis_layers import LayerOptions, NoiseMode
from triptych.nn.synthesis_network import SynthesisNetwork
from triptych.ops.modulated_conv import Modulation, UpConvolution
from triptych.ops.sample_planes import PlaneAxes
from triptych.render.occupancy import (
    OccupancyGrid,
    occupancy_grid,
    render_rays_with_occupancy,
)
from triptych.render.rays import camera_rays
from triptych.render.renderer import Draws, RenderConfig, render_rays
from triptych.render.rendering import Rendering, rendering_of


@dataclass(frozen=True)
class MappingConfig:
    """From latent and camera label to style code.

    Attributes:
        num_layers: Fully connected layers.
        embed_features: Width of the embedded label; None means w_dim.
        layer_features: Width of hidden layers; None means w_dim.
        lr_multiplier: Equalised learning rate multiplier of the layers.
        normalize_z: Scale z to unit mean square first; off where z holds meaningful attributes.
        zero_label: Embed zeros in place of the label (models without pose conditioning).
        label_scale: Factor on the label.
    """

    num_layers: int = 2
    embed_features: int | None = None
    layer_features: int | None = None
    lr_multiplier: float = 0.01
    normalize_z: bool = True
    zero_label: bool = False
    label_scale: float = 1.0


@dataclass(frozen=True)
class BackboneConfig:
    """The network that paints the planes.

    Attributes:
        plane_size: Height and width of a plane.
        plane_channels: Channels of a plane.
        channel_base: Channels times resolution of the synthesis network.
        channel_max: Most channels of any of its blocks.
        architecture: "skip" or "orig"; see `nn.synthesis_block`.
        resample_filter: See `nn.synthesis_layers.LayerOptions`, also for the fields below.
        conv_clamp: Activation limit.
        use_noise: Whether convolutions have noise maps.
        modulation: Where styles are multiplied in.
        up_convolution: How maps are enlarged.
    """

    plane_size: int = 256
    plane_channels: int = 32
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Architecture = "skip"
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None
    use_noise: bool = True
    modulation: Modulation | Literal["auto"] = "auto"
    up_convolution: UpConvolution = "two_step"

    def layer_options(self) -> LayerOptions:
        """Return what all layers share."""
        return LayerOptions(
            resample_filter=self.resample_filter,
            conv_clamp=self.conv_clamp,
            use_noise=self.use_noise,
            modulation=self.modulation,
            up_convolution=self.up_convolution,
        )


@dataclass(frozen=True)
class DecoderConfig:
    """From plane features to density and features.

    Attributes:
        num_hidden: Width of the hidden layer.
        num_features: Features besides the density; the first three are the colour.
        lr_multiplier: Equalised learning rate multiplier.
    """

    num_hidden: int = 64
    num_features: int = 32
    lr_multiplier: float = 1.0


@dataclass(frozen=True)
class ViewConfig:
    """The camera from which a model's portraits are seen best.

    Attributes:
        radius: Distance from the world origin.
        target: World point in the image centre.
        focal: Focal length in image widths.
    """

    radius: float = RADIUS
    target: tuple[float, float, float] = TARGET
    focal: float = FOCAL

    def camera(self, yaw: float | Tensor = 0.0, pitch: float | Tensor = 0.0) -> Camera:
        """Return the camera, or cameras, at angles around the frontal one (radians)."""
        return look_at_camera(yaw, pitch, self.radius, self.target, self.focal)


@dataclass(frozen=True)
class EG3DConfig:
    """Everything that defines a tri-plane generator; the defaults are ffhq512-128.

    Attributes:
        z_dim: Width of the latent.
        w_dim: Width of style codes.
        label_dim: Width of camera labels in the mapping network: 25, or 0 for none.
        image_size: Height and width of final images.
        render_size: Height and width at which rays are cast, unless a caller asks for another.
        box_size: Side of the cube that the planes span.
        plane_axes: What the planes see. "legacy" is needed by every released EG3D model; see
            `ops.sample_planes`.
        mapping: From latent to style code.
        backbone: From style codes to planes.
        decoder: From plane features to density and features.
        rendering: Sampling and compositing of rays.
        superresolution: The head that enlarges; None casts rays at the image size.
        view: Default camera.
    """

    z_dim: int = 512
    w_dim: int = 512
    label_dim: int = 25
    image_size: int = 512
    render_size: int = 128
    box_size: float = 1.0
    plane_axes: PlaneAxes = "legacy"
    mapping: MappingConfig = MappingConfig()
    backbone: BackboneConfig = BackboneConfig()
    decoder: DecoderConfig = DecoderConfig()
    rendering: RenderConfig = RenderConfig()
    superresolution: SuperResolutionConfig | None = SuperResolutionConfig()
    view: ViewConfig = ViewConfig()

    def __post_init__(self) -> None:
        final = self.superresolution.image_size if self.superresolution else self.render_size
        if self.image_size != final:
            raise UserError(
                f"image_size does not fit: got {self.image_size}; expected {final}, which is what "
                + ("the super-resolution head gives" if self.superresolution else "is rendered")
            )
        if self.label_dim not in (0, 25):
            raise UserError(f"label_dim must be 0 or 25: got {self.label_dim}")


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
    ) -> Tensor:
        """Paint the planes [b, 3, c, h, w] (float32) of style codes [b, num_ws, w_dim]."""
        if ws.shape[1:] != (self.num_ws, self.config.w_dim):
            raise UserError(
                f"style codes have the wrong shape: got {list(ws.shape)}; "
                f"expected [b, {self.num_ws}, {self.config.w_dim}]"
            )
        image = self.backbone.synthesis(ws, noise_mode=noise_mode, generator=generator)
        return image.contiguous().unflatten(1, (3, -1))

    def field(self, planes: Tensor) -> TriPlaneField:
        """Return what can be asked at points, given planes [b, 3, c, h, w]."""
        return TriPlaneField(planes, self.decoder, self.config.box_size, self.config.plane_axes)

    def occupancy(self, planes: Tensor, *, size: int = 64) -> OccupancyGrid:
        """Find where one portrait [1, 3, c, h, w] has matter, once, to render it faster often."""
        if planes.shape[0] != 1:
            raise UserError(
                f"an occupancy grid belongs to one portrait: got planes of {planes.shape[0]}"
            )
        return occupancy_grid(self.field(planes), self.config.rendering, size=size)

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
    ) -> Rendering:
        """Look at planes: one portrait from v cameras, or v portraits from a camera each.

        Args:
            planes: Planes [1 or v, 3, c, h, w].
            ws: Style codes [1 or v, num_ws, w_dim], for the super-resolution head.
            camera: v cameras.
            render_size: Height and width at which rays are cast; None takes the configured one.
            occupancy: Grid of these planes (of one portrait): renders faster, without gradients,
                and shows the same up to what is invisible. None is the exact path.
            generator: Source of sampling jitter; None renders deterministically.
            draws: The random numbers themselves, instead of a generator.
        """
        size = self.config.render_size if render_size is None else render_size
        views = len(camera)
        if {planes.shape[0], ws.shape[0]} - {1, views}:
            raise UserError(
                f"cannot pair {planes.shape[0]} portraits ({ws.shape[0]} style codes) with "
                f"{views} cameras; expected one portrait, or as many as cameras"
            )
        rays, config = camera_rays(camera, size), self.config.rendering
        field = self.field(planes)
        if occupancy is None:
            rendered = render_rays(field, rays, config, generator=generator, draws=draws)
        elif planes.shape[0] != 1:
            raise UserError(
                f"an occupancy grid belongs to one portrait: got planes of {planes.shape[0]}"
            )
        else:
            rendered = render_rays_with_occupancy(
                field, rays, config, occupancy, generator=generator, draws=draws
            )
        return self._enlarged(rendering_of(rendered, size), ws, generator)

    def synthesis(
        self,
        ws: Tensor,
        camera: Camera,
        *,
        render_size: int | None = None,
        noise_mode: NoiseMode = "const",
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
    ) -> Rendering:
        """Paint the planes of style codes and look at them; see `planes` and `render`."""
        planes = self.planes(ws, noise_mode=noise_mode, generator=generator)
        return self.render(
            planes, ws, camera, render_size=render_size, generator=generator, draws=draws
        )

    def forward(self, z: Tensor, camera: Camera, label: Tensor | None = None) -> Rendering:
        """Latents to pictures, all with default settings."""
        return self.synthesis(self.mapping(z, label), camera)

    def _conditioning(self, z: Tensor, label: Tensor | None) -> Tensor | None:
        if not self.config.label_dim:
            return None
        if label is None:
            label = self.config.view.camera().label25().to(z.device).expand(z.shape[0], -1)
        scale = 0.0 if self.config.mapping.zero_label else self.config.mapping.label_scale
        return label * scale

    def _enlarged(
        self, rendering: Rendering, ws: Tensor, generator: torch.Generator | None
    ) -> Rendering:
        if self.config.superresolution is None:
            return rendering
        codes = ws.expand(rendering.features.shape[0], -1, -1)
        image = self.superresolution(rendering.features, codes, generator=generator)
        return replace(rendering, image=image)


def ffhq512_128_config() -> EG3DConfig:
    """Return EG3D's ffhq512-128: faces at 512 pixels, rays at 128."""
    return EG3DConfig()


def ffhq512_64_config() -> EG3DConfig:
    """Return EG3D's ffhq512-64: faces at 512 pixels, rays at 64."""
    return EG3DConfig(render_size=64)


def ffhqrebalanced512_128_config() -> EG3DConfig:
    """Return EG3D's ffhqrebalanced512-128, trained on poses of more even frequency."""
    return EG3DConfig()


def ffhqrebalanced512_64_config() -> EG3DConfig:
    """Return EG3D's ffhqrebalanced512-64."""
    return EG3DConfig(render_size=64)


def afhqcats512_128_config() -> EG3DConfig:
    """Return EG3D's afhqcats512-128: cats at 512 pixels."""
    return EG3DConfig(view=ViewConfig(target=(0.0, 0.0, -0.06)))


def shapenetcars128_64_config() -> EG3DConfig:
    """Return EG3D's shapenetcars128-64: cars over white, seen from all around."""
    return EG3DConfig(
        image_size=128,
        render_size=64,
        box_size=1.6,
        mapping=MappingConfig(zero_label=True),
        rendering=RenderConfig(
            num_coarse=64, num_fine=64, ray_start=0.1, ray_end=2.6, background=1.0
        ),
        superresolution=SuperResolutionConfig(kind="2X"),
        view=ViewConfig(radius=1.7, target=(0.0, 0.0, 0.0), focal=1.7074),
    )


def avatar_config(z_dim: int) -> EG3DConfig:
    """Return the small generator of synthetic heads, which trains and renders on a CPU.

    Its latent is the vector of avatar attributes, so it is neither normalised nor conditioned on a
    camera; planes are enlarged with a short filter in one convolution; rays are cast at the image
    size over light grey.

    Args:
        z_dim: Number of avatar attributes.
    """
    return EG3DConfig(
        z_dim=z_dim,
        w_dim=256,
        label_dim=0,
        image_size=128,
        render_size=128,
        mapping=MappingConfig(num_layers=3, lr_multiplier=1.0, normalize_z=False),
        backbone=BackboneConfig(
            plane_size=128,
            plane_channels=16,
            channel_base=6144,
            channel_max=256,
            architecture="orig",
            resample_filter=(1.0, 1.0),
            use_noise=False,
            up_convolution="composed",
        ),
        decoder=DecoderConfig(num_hidden=64, num_features=3),
        rendering=RenderConfig(
            num_coarse=24, num_fine=24, background=0.5, density_gain=30.0
        ),
        superresolution=None,
    )
