"""The size and the quirks of a generator of regions; the defaults are CNeRF's at 512 pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from triptych.camera import RADIUS
from triptych.config import check_fields
from triptych.errors import UserError
from triptych.models.eg3d_config import ViewConfig
from triptych.models.latents import LatentKind
from triptych.render.marching_rules import LastSample
from triptych.systems.compose.regions import PUBLISHED_ORDER

Directions = Literal["static", "real", "none"]
Spacing = Literal["offset", "stratified"]
Membership = Literal["raw", "softmax"]

HALF_FIELD_OF_VIEW = math.radians(6.0)
FOCAL = 0.5 / math.tan(HALF_FIELD_OF_VIEW)
"""Focal length in image widths: the field of view that CNeRF calls 6 degrees is a half angle."""


@dataclass(frozen=True)
class RegionDecoderConfig:
    """From rendered features to the final image and the final region masks.

    Attributes:
        feature_width: Channels after the first convolution, which leaves StyleGAN's scale.
        style_dim: Width of its style codes.
        mapping_layers: Layers from the volume's w to the decoder's.
        widths: Channels at the size of the rays and after each doubling.
    """

    feature_width: int = 256
    style_dim: int = 512
    mapping_layers: int = 5
    widths: tuple[int, ...] = (512, 256, 128, 64)

    def __post_init__(self) -> None:
        check_fields(
            self,
            feature_width=(1, 4096),
            style_dim=(1, 4096),
            mapping_layers=(1, 16),
            widths=(1, 4096),
        )
        if not self.widths:
            raise UserError("RegionDecoderConfig.widths: got none; expected one or more")


@dataclass(frozen=True)
class RegionSampling:
    """Where a ray has its samples.

    Attributes:
        num: Samples per ray: 64 in CNeRF's inference, 24 in its training.
        spacing: "offset", CNeRF's default: evenly from the near to before the far plane; in
            training one random number moves all samples of a ray. "stratified": both planes
            included, one random number per sample.
        directions: "static", as CNeRF's inference: networks see directions in the frame of the
            camera, so that a pixel sees the same ones from everywhere. "real": in the world, as in
            its training. Masks, features and colours depend on it. "none": all directions are
            straight ahead, so that a point looks the same from everywhere.
    """

    num: int = 64
    spacing: Spacing = "offset"
    directions: Directions = "static"

    def __post_init__(self) -> None:
        check_fields(self, num=(2, 1024))


def published_view() -> ViewConfig:
    """Return CNeRF's camera, its unit sphere scaled to this package's camera distance."""
    return ViewConfig(radius=RADIUS, target=(0.0, 0.0, 0.0), focal=FOCAL)


@dataclass(frozen=True)
class RegionGeneratorConfig:
    """A generator of portraits of semantic regions.

    Attributes:
        regions: Name of each region, the background first; see `regions`.
        style_dim: Width of latents and of the regions' codes.
        hidden: Width of the region networks.
        shape_layers: Layers that the shape code steers.
        texture_layers: Layers behind them that the texture code steers.
        mapping_layers: Layers from latent to code.
        latent_kind: What a latent holds.
        render_size: Rays along each side.
        extent: Half the depth of the volume, in camera distances.
        view: The default camera.
        sampling: Where rays have samples.
        membership: How masks become shares of regions: "raw", as published, leaves them; "softmax"
            makes them positive with sum 1.
        last_sample: See `marching_rules.SdfRule`.
        background: Value in [-1, 1] behind the volume, where rays stay transparent.
        decoder: Upsamples features and masks; None in CNeRF's first training stage.
    """

    regions: tuple[str, ...] = PUBLISHED_ORDER
    style_dim: int = 256
    hidden: int = 128
    shape_layers: int = 3
    texture_layers: int = 2
    mapping_layers: int = 3
    latent_kind: LatentKind = "gaussian"
    render_size: int = 64
    extent: float = 0.12
    view: ViewConfig = field(default_factory=published_view)
    sampling: RegionSampling = RegionSampling()
    membership: Membership = "raw"
    last_sample: LastSample = "endless"
    background: float = -1.0
    decoder: RegionDecoderConfig | None = RegionDecoderConfig()

    def __post_init__(self) -> None:
        check_fields(
            self,
            style_dim=(1, 4096),
            hidden=(1, 4096),
            shape_layers=(1, 16),
            texture_layers=(1, 16),
            mapping_layers=(1, 16),
            render_size=(2, 1024),
            extent=(1e-3, 0.9),
            background=(-1.0, 1.0),
        )
        if not self.regions or len(set(self.regions)) != len(self.regions):
            raise UserError(
                f"RegionGeneratorConfig.regions: got {list(self.regions)}; expected names that "
                "differ, the background first"
            )

    @property
    def num_regions(self) -> int:
        """Number of regions, with the background."""
        return len(self.regions)

    @property
    def num_codes(self) -> int:
        """Codes of a portrait: shape and texture of each region."""
        return 2 * self.num_regions

    @property
    def image_size(self) -> int:
        """Side of the final image in pixels."""
        doublings = len(self.decoder.widths) - 1 if self.decoder else 0
        return self.render_size * 2**doublings

    @property
    def half_box(self) -> float:
        """Half the depth of the volume, in world units."""
        return self.extent * self.view.radius
