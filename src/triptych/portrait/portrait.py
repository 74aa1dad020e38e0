"""Portrait: what every system makes. View: one look at it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.config import from_dict, to_dict
from triptych.errors import UserError, check_choice, check_type, check_whole
from triptych.fields.triplane import TriPlaneDecoder, TriPlaneField
from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator
from triptych.models.fast_synthesis import synthesize_planes
from triptych.nn.superresolution import SuperResolution
from triptych.ops.precision import PathTaken, RenderPath
from triptych.ops.resize import resize
from triptych.portrait.fast_renderer import FastRenderer
from triptych.render.field_geometry import densities_at, density_grid, surface_colours
from triptych.render.occupancy import OccupancyGrid
from triptych.render.rays import camera_rays
from triptych.render.renderer import render_rays
from triptych.render.rendering import Rendering, rendering_of
from triptych.weights.safetensors_file import FileHeader, fill_module, load_tensors, save_tensors

SMALLEST_SIZE, LARGEST_SIZE = 16, 2048
_RAYS_AT_ONCE = 2**16
_STORED_AS_HALF = ("planes", "superresolution")
_SURFACE_YAWS = (-0.5, 0.0, 0.5)
_SURFACE_SIZE = 64
_SURFACE_ALPHA = 0.95
_SURFACE_QUANTILE = 0.2


@dataclass(frozen=True, eq=False)
class View:
    """Pictures of v views of a portrait.

    Attributes:
        image: Final images [v, 3, H, W], nominally in [-1, 1].
        image_raw: Images as rendered, before super-resolution [v, 3, h, w].
        depth: Distance along the unit ray [v, 1, h, w].
        alpha: How much of the background is hidden [v, 1, h, w], in [0, 1].
        regions: Share of each region [v, k, h, w] where the portrait has regions, else None.
        path: Which arithmetic made the pictures.
    """

    image: Tensor
    image_raw: Tensor
    depth: Tensor
    alpha: Tensor
    regions: Tensor | None = None
    path: PathTaken = "exact"

    def __len__(self) -> int:
        return int(self.image.shape[0])

    def __getitem__(self, index: int | slice) -> View:
        """Select views; an integer gives a View of one."""
        if isinstance(index, int):
            index = range(len(self))[index]  # raises IndexError, and so ends iteration
            index = slice(index, index + 1)
        return self._map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> View:
        """Return the pictures on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> View:
        regions = None if self.regions is None else change(self.regions)
        return View(
            change(self.image),
            change(self.image_raw),
            change(self.depth),
            change(self.alpha),
            regions,
            self.path,
        )


@dataclass(frozen=True, eq=False)
class Portrait:
    """A radiance field of one head with all that is needed to look at it.

    Attributes:
        planes: Feature planes [1, 3, c, h, w].
        ws: Style codes [1, k, d], which steer the super-resolution head.
        decoder: Turns plane features into density and colour.
        superresolution: Enlarges rendered features; None where rays are cast at the image size.
        config: Configuration of the generator whose decoder and renderer these are.
        camera: The camera from which the portrait is seen best.
        provenance: How the portrait was made, as JSON values.
    """

    planes: Tensor
    ws: Tensor
    decoder: TriPlaneDecoder
    superresolution: SuperResolution | None
    config: EG3DConfig
    camera: Camera
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_generator(
        cls,
        generator: TriPlaneGenerator,
        ws: Tensor,
        *,
        planes: Tensor | None = None,
        provenance: Mapping[str, Any] | None = None,
        path: RenderPath = "fast",
    ) -> Portrait:
        """Make a portrait of style codes.

        Args:
            generator: Its decoder and super-resolution head are copied.
            ws: Style codes [1, k, d].
            planes: Feature planes [1, 3, c, h, w]; painted from the codes by default.
            provenance: How the codes were made.
            path: How planes are painted; see `models.fast_synthesis`.
        """
        planes = synthesize_planes(generator, ws, path) if planes is None else planes
        if planes.shape[0] != 1 or ws.shape[0] != 1:
            raise UserError(
                f"a portrait is of one head: got {planes.shape[0]} planes and {ws.shape[0]} codes"
            )
        head = generator.superresolution if generator.config.superresolution else None
        return cls(
            planes=planes.detach().clone(),
            ws=ws.detach().clone(),
            decoder=copy.deepcopy(generator.decoder).eval().requires_grad_(False),
            superresolution=copy.deepcopy(head).eval().requires_grad_(False) if head else None,
            config=generator.config,
            camera=generator.config.view.camera(),
            provenance=dict(provenance or {}),
        )

    @property
    def image_size(self) -> int:
        """Height and width of a view in pixels, unless another size is asked for."""
        return self.config.image_size

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the portrait, centred on the origin."""
        return self.config.box_size

    @property
    def field(self) -> TriPlaneField:
        """What can be asked at points of space."""
        config = self.config
        return TriPlaneField(
            self.planes, self.decoder, self.box_size, config.plane_axes, config.beyond_box
        )

    @property
    def occupancy(self) -> OccupancyGrid:
        """Where the portrait has matter; taken once, at the first look that needs it."""
        return self._fast.occupancy

    @torch.no_grad()
    def render(
        self,
        camera: Camera | None = None,
        size: int | None = None,
        *,
        supersampling: int = 1,
        path: RenderPath = "fast",
    ) -> View:
        """Look at the portrait; deterministic.

        Args:
            camera: v cameras; the portrait's own by default.
            size: Height and width of the images in pixels, 16 to 2048. Portraits with a
                super-resolution head are rendered at their own size and then resized; depth and
                alpha keep the size of the rays.
            supersampling: Cast this many times more rays along each side and average them;
                only without a super-resolution head.
            path: "exact" is the published algorithm; "fast" leaves out samples in empty space and
                behind solid matter and enlarges in bfloat16 where the processor accelerates that;
                "fast-float32" never uses bfloat16. The view says which arithmetic made it.

        Raises:
            UserError: There is no camera, or a number is out of range.
        """
        if camera is not None:
            check_type("camera", camera, Camera)
            if len(camera) == 0:
                raise UserError("camera: got no views; expected at least one")
        camera = (self.camera if camera is None else camera).to(self.planes.device)
        size = self.image_size if size is None else size
        check_whole("picture size", size, SMALLEST_SIZE, LARGEST_SIZE)
        check_whole("supersampling", supersampling, 1, 4)
        check_choice("path", path, get_args(RenderPath))
        ray_size = self.config.render_size if self.superresolution else size * supersampling
        at_once = max(1, _RAYS_AT_ONCE // ray_size**2)
        views = [
            self._render_views(camera[start : start + at_once], ray_size, size, path)
            for start in range(0, len(camera), at_once)
        ]
        return View(
            torch.cat([view.image for view in views]),
            torch.cat([view.image_raw for view in views]),
            torch.cat([view.depth for view in views]),
            torch.cat([view.alpha for view in views]),
            path=views[0].path,
        )

    def path_taken(self, path: RenderPath = "fast") -> PathTaken:
        """Say which arithmetic `render` uses for this portrait, on this machine."""
        return "exact" if path == "exact" else self._fast.path_taken(path)

    @torch.no_grad()
    def density_grid(self, resolution: int, *, path: RenderPath = "fast") -> Tensor:
        """Return raw densities [n, n, n] from face to face of the box, indexed x, y, z."""
        if path == "exact":
            return density_grid(self.field.density, self.box_size, resolution)
        return self._fast.density_grid(resolution)

    @torch.no_grad()
    def surface_level(self) -> float:
        """Return the raw density at which most of the surface stands that the renderer sees.

        The density is read where rays from three sides say that the surface is. Most, not half:
        a higher level would tear holes where the surface is soft.
        """
        camera = self.config.view.camera(torch.tensor(_SURFACE_YAWS)).to(self.planes.device)
        view = self.render(camera, None if self.superresolution else _SURFACE_SIZE)
        rays = camera_rays(camera, view.depth.shape[-1])
        solid = view.alpha.flatten(1) > _SURFACE_ALPHA
        if not solid.any():
            raise UserError("the portrait has no surface: nothing in it is opaque")
        points = (rays.origins + view.depth.flatten(1)[..., None] * rays.directions)[solid]
        densities = densities_at(self.field.density, points)
        return float(densities.quantile(_SURFACE_QUANTILE))

    @torch.no_grad()
    def colours(self, points: Tensor, normals: Tensor) -> Tensor:
        """Return colours [n, 3] in [-1, 1] of surface points [n, 3] with unit normals [n, 3]."""
        return surface_colours(self.field, self.config.rendering, points, normals)

    def to(self, device: torch.device | str) -> Portrait:
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

    def save(self, path: str | Path, *, exact: bool = False) -> None:
        """Write the portrait as one self-describing safetensors file.

        Args:
            path: File to be; its folder must exist.
            exact: Keep float32. By default planes and super-resolution weights are stored in half
                precision, which halves the file and changes pictures by less than they show.
        """
        tensors = _PortraitTensors.of(self).state_dict()
        if not exact:
            tensors = {
                name: tensor.half() if name.startswith(_STORED_AS_HALF) else tensor
                for name, tensor in tensors.items()
            }
        header = FileHeader("Portrait", to_dict(self.config), provenance=self.provenance)
        save_tensors(path, tensors, header)

    @classmethod
    def load(cls, path: str | Path) -> Portrait:
        """Read a portrait that `save` wrote.

        Raises:
            UserError: The file is absent, broken, of another program or not a portrait.
        """
        tensors, header = load_tensors(path, "Portrait")
        config = from_dict(EG3DConfig, header.config)
        num_ws = tensors["ws"].shape[1] if "ws" in tensors and tensors["ws"].ndim == 3 else 1
        stored = _PortraitTensors(config, num_ws)
        fill_module(stored, tensors, str(path))
        return cls(
            planes=stored.planes,
            ws=stored.ws,
            decoder=stored.decoder,
            superresolution=stored.superresolution,
            config=config,
            camera=Camera.from_label25(stored.camera),
            provenance=header.provenance,
        )

    @cached_property
    def _fast(self) -> FastRenderer:
        return FastRenderer(self.field, self.config.rendering, self.ws, self.superresolution)

    def _render_views(self, camera: Camera, ray_size: int, size: int, path: RenderPath) -> View:
        rays, taken = camera_rays(camera, ray_size), self.path_taken(path)
        if path == "exact":
            rendered = render_rays(self.field, rays, self.config.rendering)
        else:
            rendered = self._fast.cast(rays)
        seen = rendering_of(rendered, ray_size)
        if self.superresolution is None:
            return _reduced(seen, ray_size // size, taken)
        if path == "exact":
            codes = self.ws.expand(len(camera), -1, -1)
            image = self.superresolution(seen.features, codes)
        else:
            image = self._fast.upsample(seen.features, path)
        image = image if image.shape[-1] == size else resize(image, size)
        return View(image, seen.image_raw, seen.depth, seen.opacity, path=taken)


class _PortraitTensors(nn.Module):
    """The tensors of a portrait file under their names, filled with zeros or a portrait's own."""

    planes: Tensor
    ws: Tensor
    camera: Tensor

    def __init__(self, config: EG3DConfig, num_ws: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        backbone, decoder = config.backbone, config.decoder
        side = backbone.plane_size
        planes = torch.zeros(1, 3, backbone.plane_channels, side, side)
        self.register_buffer("planes", planes)
        self.register_buffer("ws", torch.zeros(1, num_ws, config.w_dim))
        self.register_buffer("camera", torch.zeros(1, 25))
        self.decoder = TriPlaneDecoder(
            backbone.plane_channels,
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

    @classmethod
    def of(cls, portrait: Portrait) -> _PortraitTensors:
        tensors = cls(portrait.config, portrait.ws.shape[1])
        tensors.planes, tensors.ws = portrait.planes, portrait.ws
        tensors.camera = portrait.camera.label25()
        tensors.decoder = portrait.decoder
        tensors.superresolution = portrait.superresolution
        return tensors


def _reduced(seen: Rendering, factor: int, path: PathTaken) -> View:
    """Average blocks of pixels; depth counts by how solid each pixel is."""
    if factor == 1:
        return View(seen.image, seen.image_raw, seen.depth, seen.opacity, path=path)
    pool = torch.nn.functional.avg_pool2d
    image, alpha = pool(seen.image, factor), pool(seen.opacity, factor)
    weight = seen.opacity.clamp_min(1e-6)
    depth = pool(seen.depth * weight, factor) / pool(weight, factor)
    return View(image, image, depth, alpha, path=path)
