"""Portrait: what every system makes, of whatever kind its field is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Angle, Camera
from triptych.errors import UserError, check_whole
from triptych.fields.base import Field, inwards
from triptych.ops.precision import PathTaken, RenderPath
from triptych.portrait.portrait_file import load_portrait, save_portrait
from triptych.portrait.view import View
from triptych.render.field_geometry import (
    POINTS_AT_ONCE,
    geometry_at,
    geometry_grid,
    surface_colours,
)
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import RenderConfig, RenderedRays, render_rays
from triptych.render.rendering import Rendering, rendering_of

SMALLEST_SIZE, LARGEST_SIZE = 16, 2048
MOST_GRID = 1024
_RAYS_AT_ONCE = 2**16
_SURFACE_YAWS = (-0.5, 0.0, 0.5)
_SURFACE_SIZE = 64
_SURFACE_ALPHA = 0.95
_SURFACE_QUANTILE = 0.2

Kind = TypeVar("Kind", bound="Portrait")


class Portrait(ABC):
    """A radiance field of one head with all that is needed to render it.

    Exporters, front ends and metrics know this class only. A kind of portrait says what its field
    is, how rays through it are composited and where its cameras stand; it may render faster and
    upsample. `portrait_file` knows the codec that writes and reads each kind.

    Attributes:
        camera: The default camera.
        provenance: How the portrait was made, as JSON values.
    """

    camera: Camera
    provenance: dict[str, Any]

    @property
    @abstractmethod
    def field(self) -> Field:
        """The radiance field, of batch 1."""

    @property
    @abstractmethod
    def rendering(self) -> RenderConfig:
        """How rays are sampled and composited."""

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Height and width of a view in pixels, unless another size is asked for."""

    @abstractmethod
    def orbit(self, yaw: Angle = 0.0, pitch: Angle = 0.0) -> Camera:
        """Return cameras at angles (radians, numbers or [v]) around the frontal one."""

    @abstractmethod
    def to(self: Kind, device: torch.device | str) -> Kind:
        """Return the portrait on another device."""

    @property
    def picture_size(self) -> int:
        """Side of pictures and videos for people, unless another is asked for."""
        return self.image_size

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the portrait, centred on the origin."""
        return self.field.box_size

    @property
    def region_names(self) -> tuple[str, ...]:
        """Name of each of the field's regions; none where they have no names."""
        return ()

    @property
    def ray_size(self) -> int | None:
        """Rays along each side before upsampling; None: as many as the image has pixels."""
        return None

    @checked
    @torch.no_grad()
    def render(
        self,
        camera: Camera | None = None,
        size: int | None = None,
        *,
        supersampling: int = 1,
        path: RenderPath = "fast",
    ) -> View:
        """Render the portrait; deterministic.

        Args:
            camera: v cameras; the portrait's own by default.
            size: Height and width of the images in pixels, 16 to 2048. Portraits that upsample are
                rendered at their own size and then resized; depth and alpha keep the size of the
                rays.
            supersampling: Cast this many times more rays along each side and average them;
                only for portraits that do not upsample.
            path: "exact" is the published algorithm; "fast" leaves out samples in empty space and
                behind solid parts and upsamples in bfloat16 where the processor accelerates that;
                "fast-float32" never uses bfloat16. The view says which arithmetic made it.

        Raises:
            UserError: There is no camera, or a number is out of range.
        """
        if camera is not None and len(camera) == 0:
            raise UserError("camera: got no views; expected at least one")
        camera = (self.camera if camera is None else camera).to(self.camera.cam2world.device)
        size = self.image_size if size is None else size
        check_whole("picture size", size, SMALLEST_SIZE, LARGEST_SIZE)
        check_whole("supersampling", supersampling, 1, 4)
        ray_size = self.ray_size or size * supersampling
        at_once = max(1, _RAYS_AT_ONCE // ray_size**2)
        return View.cat(
            [
                self._render_views(camera[start : start + at_once], ray_size, size, path)
                for start in range(0, len(camera), at_once)
            ]
        )

    @checked
    def path_taken(self, path: RenderPath = "fast") -> PathTaken:
        """Say which arithmetic `render` uses for this portrait, on this machine."""
        return "exact"

    @checked
    @torch.no_grad()
    def geometry_grid(self, resolution: int, *, path: RenderPath = "fast") -> Tensor:
        """Return the solid [n, n, n] from face to face of the box, indexed x, y, z.

        Values grow towards the inside: raw densities, or signed distances negated.

        Raises:
            UserError: The resolution is no whole number from 2 to 1024.
        """
        check_whole("grid resolution", resolution, 2, MOST_GRID)
        device = self.camera.cam2world.device
        grid = geometry_grid(self.field.geometry, self.box_size, resolution, device)
        return inwards(grid, self.field.geometry_kind)

    @torch.no_grad()
    def surface_level(self) -> float:
        """Return the value of `geometry_grid` at the surface that the renderer sees.

        It is 0 for signed distances. Raw densities are read where rays from three sides say that
        the surface is, and most of the surface lies above the level. Most, not half: a higher
        level would tear holes where the surface is soft.

        Raises:
            UserError: Nothing in the portrait is opaque.
        """
        if self.field.geometry_kind == "sdf":
            return 0.0
        camera = self.orbit(torch.tensor(_SURFACE_YAWS)).to(self.camera.cam2world.device)
        view = self.render(camera, None if self.ray_size else _SURFACE_SIZE)
        rays = camera_rays(camera, view.depth.shape[-1])
        solid = view.alpha.flatten(1) > _SURFACE_ALPHA
        if not solid.any():
            raise UserError("the portrait has no surface: nothing in it is opaque")
        points = (rays.origins + view.depth.flatten(1)[..., None] * rays.directions)[solid]
        return float(geometry_at(self.field.geometry, points).quantile(_SURFACE_QUANTILE))

    @checked
    @torch.no_grad()
    def colours(self, points: Tensor, normals: Tensor) -> Tensor:
        """Return colours [n, 3] in [-1, 1] of surface points [n, 3] with unit normals [n, 3].

        Raises:
            UserError: Points and normals are not of these shapes.
        """
        for name, vectors in (("points", points), ("normals", normals)):
            if vectors.shape != (len(points), 3) or not vectors.is_floating_point():
                raise UserError(
                    f"{name}: got {vectors.dtype} {list(vectors.shape)}; expected floats [n, 3]"
                )
        device = self.camera.cam2world.device
        field = self._field_of_points
        return surface_colours(field, self.rendering, points.to(device), normals.to(device))

    @torch.no_grad()
    def region_shares(self, points: Tensor) -> Tensor:
        """Return the share of each region [n, k] at points [n, 3], for fields with regions."""
        device = self.camera.cam2world.device
        pieces = []
        for some in points.split(POINTS_AT_ONCE):
            regions = self._field_of_points.query(some[None].to(device)).regions
            assert regions is not None
            pieces.append(regions[0])
        return torch.cat(pieces)

    @checked
    def save(self, path: str | Path, *, exact: bool = False) -> None:
        """Write the portrait as one self-describing safetensors file.

        Args:
            path: File to be; its folder must exist.
            exact: Keep float32. By default large tensors are stored in half precision, which halves
                the file and changes pictures by less than is visible.
        """
        save_portrait(path, self, exact=exact)

    @classmethod
    @checked
    def load(cls: type[Kind], path: str | Path, device: torch.device | str = "cpu") -> Kind:
        """Read a portrait that `save` wrote; `Portrait.load` opens any kind.

        Args:
            path: The file.
            device: Where the portrait goes.

        Raises:
            UserError: The file is absent, broken, of another program, not a portrait, or not one
                of this kind.
        """
        portrait = load_portrait(path)
        if not isinstance(portrait, cls):
            raise UserError(f"{path} holds a {type(portrait).__name__}; expected a {cls.__name__}")
        return portrait.to(device)

    @property
    def _field_of_points(self) -> Field:
        """The field as it is asked at points: a faster form of the same, where there is one."""
        return self.field

    def _cast(self, camera: Camera, rays: Rays, path: RenderPath) -> RenderedRays:
        """Render rays [v, r, 3] of v cameras."""
        return render_rays(self.field, rays, self.rendering)

    def _upsampled(self, rendering: Rendering, path: RenderPath) -> Rendering:
        """Return the final images, and regions, of what was rendered at `ray_size`."""
        return rendering

    def _render_views(self, camera: Camera, ray_size: int, size: int, path: RenderPath) -> View:
        rays = camera_rays(camera, ray_size)
        rendering = rendering_of(self._cast(camera, rays, path), ray_size)
        taken = self.path_taken(path)
        if self.ray_size is None:
            return View.of(rendering, taken).averaged(ray_size // size)
        return View.of(self._upsampled(rendering, path), taken).resized(size)
