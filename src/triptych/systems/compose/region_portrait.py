"""The portrait of a generator of regions."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from triptych.camera import Angle, Camera
from triptych.errors import check_whole
from triptych.ops.precision import PathTaken, RenderPath, fast_dtype
from triptych.portrait import Portrait
from triptych.portrait.portrait import MOST_GRID
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays
from triptych.render.rendering import Rendering
from triptych.systems.compose.depth_mesh import check_two_signed
from triptych.systems.compose.fast_decoder import StyledDecoder, has_fast_form
from triptych.systems.compose.fast_regions import FastRegions
from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.region_field import RegionField
from triptych.systems.compose.region_rays import cast, plan_depths

_CUT_BACKGROUND = 0.5
_SIGN_RESOLUTION = 32


@dataclass(frozen=True, eq=False)
class RegionPortrait(Portrait):
    """Codes of all regions with the generator that makes a volume and pictures of them.

    Portraits share the generator, which is never changed.

    Attributes:
        generator: In evaluation mode.
        codes: Codes [1, 2 * regions, d]: shape and texture of each region in turn.
        decoder_code: The decoder's style code [1, D]; None without a decoder.
        camera: The default camera.
        provenance: How the portrait was made, as JSON values.
        only: Regions that the portrait is cut down to; None for all. A cut portrait shows the
            colours of the volume, since the decoder only knows whole heads.
        shown: Regions whose features are decoded, as the published `--semantics`; None for all.
    """

    generator: RegionGenerator
    codes: Tensor
    decoder_code: Tensor | None
    camera: Camera
    provenance: dict[str, Any] = dataclass_field(default_factory=dict)
    only: tuple[int, ...] | None = None
    shown: tuple[int, ...] | None = None

    @property
    def region_names(self) -> tuple[str, ...]:
        """Name of each region, in the order of `View.regions`."""
        return self.generator.config.regions

    @property
    def field(self) -> RegionField:
        """The volume, without the features that only the decoder reads."""
        field = replace(self.generator.field(self.codes), with_features=False)
        return replace(field, only=self.only, shown=self.shown)

    @property
    def rendering(self) -> RenderConfig:
        """How rays are composited; a cut portrait has nothing behind it."""
        rendering = self.generator.rendering_config()
        if self.only is None:
            return rendering
        assert rendering.sdf is not None
        rule = SdfRule(rendering.sdf.beta, "ignored")
        return replace(rendering, sdf=rule, background=_CUT_BACKGROUND)

    @property
    def image_size(self) -> int:
        """Height and width of a view in pixels, unless another size is asked for."""
        return self.generator.config.image_size

    @property
    def ray_size(self) -> int | None:
        """Rays along each side before upsampling; None: as many as the image has pixels."""
        return self.generator.config.render_size if self._is_decoded else None

    def orbit(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        """Return cameras at angles (radians, numbers or [v]) around the frontal one."""
        return self.generator.config.view.camera(yaw, pitch)

    def to(self, device: torch.device | str) -> RegionPortrait:
        """Return the portrait on another device."""
        return replace(
            self,
            generator=copy.deepcopy(self.generator).to(device),
            codes=self.codes.to(device),
            decoder_code=None if self.decoder_code is None else self.decoder_code.to(device),
            camera=self.camera.to(device),
        )

    @torch.no_grad()
    def surface_level(self) -> float:
        """Return 0: the surface is where the signed distance is.

        Raises:
            UserError: All of the volume lies on one side of it.
        """
        grid = self.geometry_grid(_SIGN_RESOLUTION)
        check_two_signed(-float(grid.max()), -float(grid.min()))
        return 0.0

    def path_taken(self, path: RenderPath = "fast") -> PathTaken:
        """Say which arithmetic `render` uses."""
        if path == "exact":
            return "exact"
        narrow = fast_dtype(path, self.codes.device) == torch.bfloat16
        return "fast-bfloat16" if narrow else "fast-float32"

    @torch.no_grad()
    def geometry_grid(self, resolution: int, *, path: RenderPath = "fast") -> Tensor:
        """Return distances, negated, [n, n, n] from face to face of the box, indexed x, y, z.

        On a fast path they are exact near the surface and interpolated beyond.
        """
        check_whole("grid resolution", resolution, 2, MOST_GRID)
        if path == "exact":
            return super().geometry_grid(resolution, path=path)
        return -self._fast.distance_grid(resolution)

    @cached_property
    def _fast(self) -> FastRegions:
        return FastRegions(self.field, self.rendering)

    @cached_property
    def _styled_decoder(self) -> StyledDecoder | None:
        decoder = self.generator.decoder
        if decoder is None or self.decoder_code is None or not has_fast_form(decoder):
            return None
        return StyledDecoder.of(decoder, self.decoder_code)

    @property
    def _field_of_points(self) -> RegionField:
        return self._fast.field

    @property
    def _is_decoded(self) -> bool:
        return self.decoder_code is not None and self.only is None

    def _cast(self, camera: Camera, rays: Rays, path: RenderPath) -> RenderedRays:
        field = replace(self.field, camera=camera, with_features=self._is_decoded)
        depths = plan_depths(rays, camera, self.generator.config)
        if path == "exact":
            return cast(field, rays, depths, self.rendering)
        dtype = fast_dtype(path, self.codes.device)
        return self._fast.cast(field, rays, depths, dtype)

    def _upsampled(self, rendering: Rendering, path: RenderPath) -> Rendering:
        assert self.decoder_code is not None
        if path != "exact" and self._styled_decoder is not None:
            assert rendering.regions is not None
            features = self.generator.decoder_features(rendering)
            image, masks = self._styled_decoder(features, rendering.regions)
            return replace(rendering, image=image, regions=masks)
        codes = self.decoder_code.expand(rendering.features.shape[0], -1)
        return self.generator.decode(rendering, codes)
