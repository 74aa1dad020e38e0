"""Patches of heads rendered with gradients, beside the same patches of their pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.config import check_fields
from triptych.errors import UserError
from triptych.fields.recoloured_decoder import ColourChange, recoloured
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.synthesis_layers import Edits
from triptych.ops.placement import device_of
from triptych.ops.precision import half_precision_where_fast
from triptych.ops.resize import fit_size
from triptych.ops.view_pair import ViewPair
from triptych.render.patches import draw_patches, rays_of
from triptych.render.rays import camera_rays
from triptych.render.renderer import render_at_depths
from triptych.render.surface_depths import surface_depths


@dataclass(frozen=True)
class ViewSettings:
    """How heads are rendered while something is fitted to pictures.

    Attributes:
        patch: Side of a patch in rays.
        strides: Pixel steps between a patch's rays; drawn evenly.
        whole_size: Side of whole heads.
        coarse: Samples that find the surface, by their density alone.
        keep_every: Every so many of them are seen.
        fine: Samples round the surface.
    """

    patch: int = 24
    strides: tuple[int, ...] = (1, 2, 3, 4)
    whole_size: int = 64
    coarse: int = 20
    keep_every: int = 4
    fine: int = 8

    def __post_init__(self) -> None:
        check_fields(
            self,
            patch=(1, 4096),
            strides=(1, 64),
            whole_size=(1, 4096),
            coarse=(1, 1000),
            keep_every=(1, 1000),
            fine=(1, 1000),
        )
        if not self.strides:
            raise UserError("ViewSettings.strides: got none; expected at least one stride")


@dataclass(frozen=True)
class ViewDraw:
    """Which rays of n pictures are rendered, and where they are sampled.

    Attributes:
        pixels: Row-major pixel numbers [n, r].
        size: Side of the picture that they number.
        side: Side of the part they make.
        jitter: See `render.surface_depths`, also for the next.
        uniform: Positions on the cdf.
        whole: Whether the part is the whole.
    """

    pixels: Tensor
    size: int
    side: int
    jitter: Tensor
    uniform: Tensor
    whole: bool

    def to(self, device: torch.device | str) -> ViewDraw:
        """Return the draw on another device."""
        pixels, jitter, uniform = (
            tensor.to(device) for tensor in (self.pixels, self.jitter, self.uniform)
        )
        return ViewDraw(pixels, self.size, self.side, jitter, uniform, self.whole)

    def share(self, process: int, num_processes: int) -> ViewDraw:
        """Return what one of several processes renders."""
        mine = slice(process, None, num_processes)
        return ViewDraw(
            self.pixels[mine],
            self.size,
            self.side,
            self.jitter[mine],
            self.uniform[mine],
            self.whole,
        )


class HeadViews:
    """Renders with few samples per ray, and patches where there is no super-resolution head.

    Generators with such a head have no patches: they are rendered whole and exactly.

    Args:
        generator: Whose heads.
        settings: How they are rendered.
        half_precision: Compute in bfloat16 where that is faster.
    """

    def __init__(
        self,
        generator: TriPlaneGenerator,
        settings: ViewSettings,
        *,
        half_precision: bool = True,
    ) -> None:
        self.generator, self.settings = generator, settings
        self.half_precision = half_precision
        self.size = generator.config.image_size
        self.has_parts = generator.config.superresolution is None

    def draw(self, num: int, whole: bool, generator: torch.Generator) -> ViewDraw:
        """Draw a part of each of `num` pictures, on the CPU; the draw goes where the heads are."""
        settings = self.settings
        if whole or not self.has_parts:
            size = min(settings.whole_size, self.size)
            pixels, side = torch.arange(size * size).expand(num, -1), size
        else:
            size = self.size
            pixels, side = draw_patches(num, size, settings.patch, settings.strides, generator)
        shape = pixels.shape
        jitter = torch.rand(*shape, settings.coarse, generator=generator)
        uniform = torch.rand(*shape, settings.fine, generator=generator)
        draw = ViewDraw(pixels, size, side, jitter, uniform, whole or not self.has_parts)
        return draw.to(device_of(self.generator))

    def pair(
        self, planes: Tensor, ws: Tensor, camera: Camera, true: Tensor, draw: ViewDraw
    ) -> ViewPair:
        """Render the drawn patches of b heads and cut the same patches out of their pictures.

        Args:
            planes: Planes [b, 3, c, h, w].
            ws: Their style codes [b, k, d].
            camera: b cameras.
            true: Pictures [b, 3, s, s], s the generator's image size.
            draw: What to render.
        """
        pred = self.rendered(planes, ws, camera, draw)
        return ViewPair(pred, self.cut(true, draw), draw.whole)

    def rendered(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera,
        draw: ViewDraw,
        *,
        edits: Edits | None = None,
        colours: ColourChange | None = None,
    ) -> Tensor:
        """Render the drawn patches [b, 3, p, p] of b heads; see `pair`.

        Args:
            planes: Planes [b, 3, c, h, w].
            ws: Their style codes [b, k, d].
            camera: b cameras.
            draw: What to render.
            edits: Of the super-resolution head's layers; see `nn.synthesis_layers.LayerEdit`.
            colours: What a style changes in the decoder; only without such a head.
        """
        if self.has_parts:
            return self._rendered(planes, camera, draw, colours)
        rendering = self.generator.render(planes, ws, camera, modulation="activations", edits=edits)
        return rendering.image

    @property
    def whole_side(self) -> int:
        """Side of whole heads in pixels."""
        return min(self.settings.whole_size, self.size) if self.has_parts else self.size

    def cut(self, values: Tensor, draw: ViewDraw) -> Tensor:
        """Cut the drawn patch [b, c, p, p] out of values [b, c, s, s] of whole pictures."""
        if not self.has_parts:
            return values
        if draw.whole:
            return fit_size(values, draw.size)
        index = draw.pixels[:, None].expand(-1, values.shape[1], -1)
        return values.flatten(2).gather(2, index).unflatten(2, (draw.side, draw.side))

    @torch.no_grad()
    def preview(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera,
        size: int | None,
        *,
        edits: Edits | None = None,
        colours: ColourChange | None = None,
    ) -> Tensor:
        """Render whole heads [b, 3, size, size] without gradients, samples evenly spread.

        See `rendered` for the arguments.
        """
        if not self.has_parts:
            return self.generator.render(planes, ws, camera, render_size=size, edits=edits).image
        settings, side = self.settings, size or self.size
        shape = (len(camera), side * side)
        even = torch.linspace(0, 1, settings.fine).expand(*shape, -1)
        middle = torch.full((*shape, settings.coarse), 0.5)
        pixels = torch.arange(side * side).expand(len(camera), -1)
        draw = ViewDraw(pixels, side, side, middle, even, True).to(planes.device)
        return self._rendered(planes, camera, draw, colours)

    def _rendered(
        self, planes: Tensor, camera: Camera, draw: ViewDraw, colours: ColourChange | None = None
    ) -> Tensor:
        config, keep = self.generator.config.rendering, self.settings.keep_every
        field = recoloured(self.generator.field(planes), colours)
        rays = rays_of(camera_rays(camera, draw.size), draw.pixels)
        with half_precision_where_fast(planes.device, self.half_precision):
            depths = surface_depths(field, rays, config, draw.jitter, draw.uniform, keep_every=keep)
            shown = render_at_depths(field, rays, depths, config).features[..., :3]
        return shown.float().transpose(1, 2).unflatten(2, (draw.side, draw.side))
