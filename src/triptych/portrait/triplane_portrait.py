"""The portrait of a tri-plane generator: EG3D's, and what is fitted, edited or lifted with it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Angle, Camera
from triptych.errors import UserError, check_whole
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.nn.superresolution import SuperResolution
from triptych.ops.precision import PathTaken, RenderPath
from triptych.portrait.fast_renderer import FastRenderer
from triptych.portrait.portrait import MOST_GRID, Portrait
from triptych.render.occupancy import OccupancyGrid
from triptych.render.rays import Rays
from triptych.render.renderer import RenderConfig, RenderedRays
from triptych.render.rendering import Rendering

_PICTURE_SIZE = 256
"""Largest default side of pictures for people, of portraits that do not upsample."""


@dataclass(frozen=True, eq=False)
class TriPlanePortrait(Portrait):
    """Feature planes with the decoder that reads them, and the head that upsamples.

    Attributes:
        planes: Feature planes [1, 3, c, h, w].
        ws: Style codes [1, k, d], which steer the super-resolution head.
        decoder: Turns plane features into density and colour.
        superresolution: Upsamples rendered features; None where rays are cast at the image size.
        config: Configuration of the generator whose decoder and renderer these are.
        camera: The default camera.
        provenance: How the portrait was made, as JSON values.

    Raises:
        UserError: Planes or codes have another shape, or are of several heads.
    """

    planes: Tensor
    ws: Tensor
    decoder: TriPlaneDecoder
    superresolution: SuperResolution | None
    config: EG3DConfig
    camera: Camera
    provenance: dict[str, Any] = dataclass_field(default_factory=dict)

    def __post_init__(self) -> None:
        planes, ws, channels = self.planes, self.ws, self.config.backbone.plane_channels
        if planes.ndim != 5 or planes.shape[1:3] != (3, channels) or not planes.is_floating_point():
            raise UserError(
                f"planes: got {planes.dtype} {list(planes.shape)}; expected floats "
                f"[1, 3, {channels}, h, w]"
            )
        if ws.ndim != 3 or not ws.is_floating_point():
            raise UserError(f"ws: got {ws.dtype} {list(ws.shape)}; expected floats [1, k, d]")
        if planes.shape[0] != 1 or ws.shape[0] != 1:
            raise UserError(
                f"a portrait is of one head: got {planes.shape[0]} planes and {ws.shape[0]} codes"
            )

    @classmethod
    @checked
    def from_generator(
        cls,
        generator: TriPlaneGenerator,
        ws: Tensor,
        *,
        planes: Tensor | None = None,
        provenance: Mapping[str, Any] | None = None,
        path: RenderPath = "fast",
    ) -> TriPlanePortrait:
        """Make a portrait of style codes.

        Args:
            generator: Its decoder and super-resolution head are copied.
            ws: Style codes [1, k, d].
            planes: Feature planes [1, 3, c, h, w]; synthesized from the codes by default.
            provenance: How the codes were made.
            path: How planes are synthesized; see `models.fast_synthesis`.
        """
        planes = synthesize_planes(generator, ws, path) if planes is None else planes
        return cls.of_planes(
            planes,
            ws,
            decoder=generator.decoder,
            superresolution=generator.superresolution if generator.config.superresolution else None,
            config=generator.config,
            provenance=provenance,
        )

    @classmethod
    def of_planes(
        cls,
        planes: Tensor,
        ws: Tensor,
        *,
        decoder: TriPlaneDecoder,
        superresolution: SuperResolution | None,
        config: EG3DConfig,
        provenance: Mapping[str, Any] | None = None,
    ) -> TriPlanePortrait:
        """Make a portrait of planes [1, 3, c, h, w] that any network made; all parts are copied.

        Args:
            planes: Feature planes.
            ws: Style codes [1, k, d], for the super-resolution head.
            decoder: Reads the planes.
            superresolution: Upsamples rendered features, or None.
            config: How the planes are read, rendered and looked at.
            provenance: How the planes were made.
        """
        head = superresolution
        return cls(
            planes=planes.detach().clone(),
            ws=ws.detach().clone(),
            decoder=copy.deepcopy(decoder).eval().requires_grad_(False),
            superresolution=copy.deepcopy(head).eval().requires_grad_(False) if head else None,
            config=config,
            camera=config.view.camera().to(planes.device),
            provenance=dict(provenance or {}),
        )

    @property
    def field(self) -> TriPlaneField:
        """The radiance field."""
        config = self.config
        return TriPlaneField(
            self.planes, self.decoder, config.box_size, config.plane_axes, config.beyond_box
        )

    @property
    def rendering(self) -> RenderConfig:
        """How rays are sampled and composited."""
        return self.config.rendering

    @property
    def image_size(self) -> int:
        """Height and width of a view in pixels, unless another size is asked for."""
        return self.config.image_size

    @property
    def picture_size(self) -> int:
        """Side of pictures and videos for people, unless another is asked for.

        Portraits that upsample are seen at their own size. Others cast twice as many rays along
        each side, up to 256: at 128 pixels an iris is a few blocks.
        """
        if self.ray_size:
            return self.image_size
        return max(self.image_size, min(2 * self.image_size, _PICTURE_SIZE))

    @property
    def ray_size(self) -> int | None:
        """Rays along each side before upsampling; None: as many as the image has pixels."""
        return self.config.render_size if self.superresolution else None

    @property
    def occupancy(self) -> OccupancyGrid:
        """Where the portrait is not empty; found at the first render that needs it."""
        return self._fast.occupancy

    @checked
    def orbit(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        """Return cameras at angles (radians, numbers or [v]) around the frontal one."""
        return self.config.view.camera(yaw, pitch)

    @checked
    def path_taken(self, path: RenderPath = "fast") -> PathTaken:
        """Say which arithmetic `render` uses for this portrait, on this machine."""
        return "exact" if path == "exact" else self._fast.path_taken(path)

    @checked
    @torch.no_grad()
    def geometry_grid(self, resolution: int, *, path: RenderPath = "fast") -> Tensor:
        """Return raw densities [n, n, n] from face to face of the box, indexed x, y, z."""
        check_whole("grid resolution", resolution, 2, MOST_GRID)
        if path == "exact":
            return super().geometry_grid(resolution, path=path)
        return self._fast.density_grid(resolution)

    @checked
    def to(self, device: torch.device | str) -> TriPlanePortrait:
        """Return the portrait on another device."""
        return replace(
            self,
            planes=self.planes.to(device),
            ws=self.ws.to(device),
            decoder=copy.deepcopy(self.decoder).to(device),
            superresolution=copy.deepcopy(self.superresolution).to(device)
            if self.superresolution
            else None,
            camera=self.camera.to(device),
        )

    @cached_property
    def _fast(self) -> FastRenderer:
        return FastRenderer(self.field, self.rendering, self.ws, self.superresolution)

    def _cast(self, camera: Camera, rays: Rays, path: RenderPath) -> RenderedRays:
        return super()._cast(camera, rays, path) if path == "exact" else self._fast.cast(rays)

    def _upsampled(self, rendering: Rendering, path: RenderPath) -> Rendering:
        if self.superresolution is None:
            return rendering
        if path == "exact":
            codes = self.ws.expand(rendering.features.shape[0], -1, -1)
            return replace(rendering, image=self.superresolution(rendering.features, codes))
        return replace(rendering, image=self._fast.upsample(rendering.features, path))
