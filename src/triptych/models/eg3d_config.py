"""Configurations of tri-plane generators: named choices, official sizes, the avatar size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from triptych.camera import FOCAL, RADIUS, TARGET, Angle, Camera, look_at_camera
from triptych.config import check_fields
from triptych.errors import UserError, check_whole
from triptych.fields.base import BeyondBox
from triptych.framing import AVATAR_FRAMING, EG3D_FRAMING, FaceFraming
from triptych.models.latents import LatentKind
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.nn.synthesis_block import Architecture
from triptych.nn.synthesis_layers import LayerOptions
from triptych.ops.modulated_conv import Modulation, UpConvolution
from triptych.ops.sample_planes import PlaneAxes
from triptych.render.renderer import RenderConfig

WIDEST = 4096
"""No layer of a generator is wider; EG3D's have at most 512 channels."""
MOST_SAMPLES = 2**27
"""Their depths take half a gigabyte; EG3D's pictures have 2**21 at most."""


@dataclass(frozen=True)
class MappingConfig:
    """From latent and camera label to style code.

    Attributes:
        num_layers: Fully connected layers.
        embed_features: Width of the embedded label; None means w_dim.
        layer_features: Width of hidden layers; None means w_dim.
        lr_multiplier: Equalised learning rate multiplier of the layers.
        normalize_z: Scale z to unit mean square first.
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

    def __post_init__(self) -> None:
        check_fields(
            self,
            num_layers=(1, 64),
            embed_features=(1, WIDEST),
            layer_features=(1, WIDEST),
            lr_multiplier=(1e-6, 100),
            label_scale=(-1e6, 1e6),
        )


@dataclass(frozen=True)
class BackboneConfig:
    """The network that synthesizes the planes.

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
        up_convolution: How maps are up-sampled.
        gains: Factor of what the convolutions of each block give, from the first block; 1 for all
            others. Published EG3D has none; PStyle-3D's released code has 2 up to 32 pixels, whose
            residual blocks return twice their input.
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
    gains: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_fields(
            self,
            gains=(1e-3, 1e3),
            plane_size=(4, 1024),
            plane_channels=(1, 256),
            channel_base=(1, 2**20),
            channel_max=(1, WIDEST),
            resample_filter=(-1e3, 1e3),
            conv_clamp=(1e-3, 1e6),
        )
        check_whole("BackboneConfig.resample_filter: taps", len(self.resample_filter), 1, 16)

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

    def __post_init__(self) -> None:
        check_fields(
            self, num_hidden=(1, WIDEST), num_features=(3, WIDEST), lr_multiplier=(1e-6, 100)
        )


@dataclass(frozen=True)
class ViewConfig:
    """The default camera of a model.

    Attributes:
        radius: Distance from the world origin.
        target: World point in the image centre.
        focal: Focal length in image widths.
    """

    radius: float = RADIUS
    target: tuple[float, float, float] = TARGET
    focal: float = FOCAL

    def __post_init__(self) -> None:
        check_fields(self, radius=(0.01, 1000), target=(-1000, 1000), focal=(0.01, 1000))
        if math.hypot(*self.target) >= self.radius:
            raise UserError(
                f"ViewConfig.target: got {list(self.target)}; expected a point nearer to the "
                f"origin than the camera, whose radius is {self.radius:g}"
            )

    def camera(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        """Return the camera, or cameras, at angles around the frontal one (radians)."""
        return look_at_camera(yaw, pitch, self.radius, self.target, self.focal)

    def pixel_size(self, image_size: int) -> float:
        """Return what a pixel of a picture of that width covers at the origin, in world units."""
        return self.radius / self.focal / image_size


@dataclass(frozen=True)
class EG3DConfig:
    """Everything that defines a tri-plane generator; the defaults are ffhq512-128.

    Attributes:
        z_dim: Width of the latent.
        latent_kind: What the latent holds; see `models.latents`.
        w_dim: Width of style codes.
        label_dim: Width of camera labels in the mapping network: 25, or 0 for none.
        image_size: Height and width of final images.
        render_size: Height and width at which rays are cast, unless a caller asks for another.
        box_size: Side of the cube that the planes span.
        plane_axes: Coordinates that each plane samples. Every released EG3D model needs "legacy";
            see `ops.sample_planes`.
        beyond_box: Field values outside the cube; see `fields.triplane`.
        mapping: From latent to style code.
        backbone: From style codes to planes.
        decoder: From plane features to density and features.
        rendering: Sampling and compositing of rays.
        superresolution: The super-resolution network; None casts rays at the image size.
        view: Default camera.
        framing: How photos of faces are cropped for this model; None is EG3D's, for models of
            faces.
    """

    z_dim: int = 512
    latent_kind: LatentKind = "gaussian"
    w_dim: int = 512
    label_dim: int = 25
    image_size: int = 512
    render_size: int = 128
    box_size: float = 1.0
    plane_axes: PlaneAxes = "legacy"
    beyond_box: BeyondBox = "decoded"
    mapping: MappingConfig = MappingConfig()
    backbone: BackboneConfig = BackboneConfig()
    decoder: DecoderConfig = DecoderConfig()
    rendering: RenderConfig = RenderConfig()
    superresolution: SuperResolutionConfig | None = SuperResolutionConfig()
    view: ViewConfig = ViewConfig()
    framing: FaceFraming | None = None

    def __post_init__(self) -> None:
        check_fields(
            self,
            z_dim=(1, WIDEST),
            w_dim=(1, WIDEST),
            image_size=(1, 1024),
            render_size=(1, 1024),
            box_size=(0.01, 1000),
        )
        samples = self.render_size**2 * (self.rendering.num_coarse + self.rendering.num_fine)
        check_whole("EG3DConfig: samples of a picture", samples, 1, MOST_SAMPLES)
        final = self.superresolution.image_size if self.superresolution else self.render_size
        if self.image_size != final:
            raise UserError(
                f"image_size does not fit: got {self.image_size}; expected {final}, which is what "
                + ("the super-resolution network gives" if self.superresolution else "is rendered")
            )
        if self.label_dim not in (0, 25):
            raise UserError(f"label_dim must be 0 or 25: got {self.label_dim}")

    def photo_framing(self) -> FaceFraming:
        """Return how photos of faces are cropped for this model.

        Raises:
            UserError: The model is not one of human faces.
        """
        if self.framing is not None:
            return self.framing
        if self.view.target != TARGET:
            raise UserError("this model is not one of human faces; no photo can be aligned for it")
        return EG3D_FRAMING


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

    Its latent is the vector of avatar attributes, neither normalised nor conditioned on a camera.
    Planes are up-sampled with a short filter in one convolution; rays are cast at the image size,
    with a light grey background. Unlike released EG3D models it samples all three coordinate
    planes, and the field is empty outside its cube.

    Args:
        z_dim: Number of avatar attributes.
    """
    return EG3DConfig(
        z_dim=z_dim,
        latent_kind="attributes",
        w_dim=256,
        label_dim=0,
        image_size=128,
        render_size=128,
        plane_axes="corrected",
        beyond_box="empty",
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
        rendering=RenderConfig(num_coarse=24, num_fine=24, background=0.5, density_gain=30.0),
        superresolution=None,
        framing=AVATAR_FRAMING,
    )


OFFICIAL_CONFIGS: dict[str, Callable[[], EG3DConfig]] = {
    "ffhq512-128": ffhq512_128_config,
    "ffhq512-64": ffhq512_64_config,
    "ffhqrebalanced512-128": ffhqrebalanced512_128_config,
    "ffhqrebalanced512-64": ffhqrebalanced512_64_config,
    "afhqcats512-128": afhqcats512_128_config,
    "shapenetcars128-64": shapenetcars128_64_config,
}
