"""Rendered views beside edited ones: patches of rays, or whole images through the SR module."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.ops.precision import half_precision_where_fast
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.render.guided_rays import GuidedSampling, guided_depths
from triptych.render.nearby_surfaces import nearby_surfaces
from triptych.render.patches import draw_patches, rays_of
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import RenderedRays, render_at_depths
from triptych.render.rendering import as_picture
from triptych.systems.stylize.settings import StylizeSettings
from triptych.systems.stylize.views import EditedViews

_PATCHES_AT_ONCE = 2**16
_WHOLE_PIXELS_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class RenderedBatch:
    """Images to compare.

    Attributes:
        pred: Rendered images or patches [b, 3, h, w] in [-1, 1].
        target: The edited ones [b, 3, h, w] in [-1, 1].
        views: Index of each view [b].
        pixels: Index of each rendered ray in its view, y * width + x [b, r].
        depth: Rendered distance along each ray [b, r], without gradient.
        alpha: Rendered opacity of each ray [b, r], without gradient.
    """

    pred: Tensor
    target: Tensor
    views: Tensor
    pixels: Tensor
    depth: Tensor
    alpha: Tensor


def with_plain_background(
    images: Tensor, alpha: Tensor, margin: int | None, background: float
) -> Tensor:
    """Return images whose pixels far from the unedited head have the background's value.

    Args:
        images: Edited images [v, 3, H, W] in [-1, 1].
        alpha: Opacity of the unedited head [v, 1, h, w].
        margin: Distance in pixels of `alpha`, along rows and columns; None changes nothing.
        background: Value of the plain background in [-1, 1].
    """
    if margin is None:
        return images
    near = F.max_pool2d((alpha > 0.5).float(), 2 * margin + 1, stride=1, padding=margin)
    near = F.interpolate(near, size=images.shape[-2:], mode="nearest")
    return torch.where(near > 0, images, torch.full_like(images, background))


class SurfaceMemory:
    """Distance of the surface for every pixel of every view, updated as the surface moves.

    It starts with the depth of the original head. `learn` replaces it by what was rendered later,
    so that samples follow a head that grows ears or loses its hair. Rays without a known surface
    get samples over their whole length.

    Attributes:
        depth: Distance along the ray [v, pixels].
        known: Whether the ray meets a surface [v, pixels], bool.
    """

    def __init__(self, depth: Tensor, alpha: Tensor) -> None:
        """Start from pictures of depth and alpha, both [v, 1, h, w]."""
        self._shape = depth.shape[2:]
        self.depth = depth.flatten(1).clone()
        self.known = alpha.flatten(1) > 0.5

    def pictures(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return depth and whether it is known for all pixels of views [b], each [b, h, w]."""
        return (
            self.depth[views].unflatten(1, self._shape),
            self.known[views].unflatten(1, self._shape),
        )

    def learn(self, views: Tensor, pixels: Tensor, depth: Tensor, alpha: Tensor) -> None:
        """Remember rendered depth and alpha [b, r] of pixels [b, r] of views [b]."""
        self.depth[views[:, None], pixels] = depth
        self.known[views[:, None], pixels] = (alpha > 0.5) & depth.isfinite()

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs."""
        return {"depth": self.depth, "known": self.known}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a state returned by `state`."""
        self.depth.copy_(state["depth"])
        self.known.copy_(state["known"])


class ViewRenderer:
    """Renders planes from the cameras of the edited views, with few samples per ray.

    Without a super-resolution module a batch holds patches of rays; with one it holds whole views,
    because the module's convolutions need their surroundings.

    Attributes:
        views_at_once: How many views fit into memory together with their gradients.
    """

    def __init__(
        self, portrait: TriPlanePortrait, views: EditedViews, settings: StylizeSettings
    ) -> None:
        config = portrait.config.rendering
        near, far = config.fixed_limits("stylising a head")
        self.portrait, self.settings, self.config = portrait, settings, config
        self.cameras = views.cameras
        self.ray_size = int(views.originals.depth.shape[-1])
        self.views_at_once = _PATCHES_AT_ONCE
        if portrait.superresolution is not None:
            self.views_at_once = max(1, _WHOLE_PIXELS_AT_ONCE // portrait.image_size**2)
        self.sampling = GuidedSampling(
            num_spread=settings.num_spread,
            num_guided=settings.num_guided,
            deviation=settings.guided_deviation,
            near=near,
            far=far,
        )
        self.target = with_plain_background(
            views.images, views.originals.alpha, settings.background_margin, config.background
        )
        if portrait.superresolution is not None and views.images.shape[-1] != portrait.image_size:
            self.target = resize(self.target, portrait.image_size)

    def batch(
        self, planes: Tensor, views: Tensor, surface: SurfaceMemory, generator: torch.Generator
    ) -> RenderedBatch:
        """Render views [b] of planes [1, 3, c, h, w] beside their edits.

        Args:
            planes: What is rendered.
            views: Indices of the views.
            surface: Where samples are placed; not changed.
            generator: Source of patches and samples.
        """
        whole = self.portrait.superresolution is not None
        if whole:
            side = self.ray_size
            pixels = torch.arange(side**2).expand(len(views), -1)
        else:
            pixels, side = draw_patches(
                len(views), self.ray_size, self.settings.patch, self.settings.strides, generator
            )
        pixels = pixels.to(planes.device)
        shown = self._render(planes, views, pixels, surface, generator)
        if whole:
            pred, target = self._superresolved(shown.features), self.target[views]
        else:
            pred = as_picture(shown.features[..., :3], side)
            edited = self.target[views].flatten(2)
            target = edited.gather(2, pixels[:, None].expand(-1, 3, -1)).unflatten(2, (side, side))
        depth, alpha = shown.depth[..., 0].detach(), shown.alpha[..., 0].detach()
        return RenderedBatch(pred, target, views, pixels, depth, alpha)

    def _superresolved(self, features: Tensor) -> Tensor:
        """Return images [b, 3, H, W] of the features [b, r, c] of all rays of views."""
        superresolution = self.portrait.superresolution
        assert superresolution is not None
        codes = self.portrait.ws.expand(len(features), -1, -1)
        with half_precision_where_fast(features.device, self.settings.mixed_precision):
            image = superresolution(as_picture(features, self.ray_size), codes)
        return image.float()

    def _render(
        self,
        planes: Tensor,
        views: Tensor,
        pixels: Tensor,
        surface: SurfaceMemory,
        generator: torch.Generator,
    ) -> RenderedRays:
        """Render pixels [b, r] of views [b]."""
        rays = rays_of(camera_rays(self.cameras[views], self.ray_size), pixels)
        depths = self._depths(views, pixels, surface, generator)
        field = replace(self.portrait.field, planes=planes)
        # One head, many views: their rays are one batch, so that the planes are read once.
        joined = Rays(rays.origins.flatten(0, 1)[None], rays.directions.flatten(0, 1)[None])
        with half_precision_where_fast(planes.device, self.settings.mixed_precision):
            shown = render_at_depths(field, joined, depths.flatten(0, 1)[None], self.config)
        shape = (len(views), -1)
        features, depth, alpha = (
            part[0].unflatten(0, shape) for part in (shown.features, shown.depth, shown.alpha)
        )
        return RenderedRays(features.float(), depth, alpha)

    def _depths(
        self,
        views: Tensor,
        pixels: Tensor,
        surface: SurfaceMemory,
        generator: torch.Generator,
    ) -> Tensor:
        """Choose samples round the known surfaces at pixels [b, r] of views [b] and nearby."""
        sampling = self.sampling
        depth, known = surface.pictures(views)
        places = torch.stack([pixels % self.ray_size, pixels // self.ray_size], -1)
        surfaces, near = nearby_surfaces(
            depth, known, places, sampling.num_guided, sampling.reach, generator
        )
        meets = known.flatten(1).gather(1, pixels)
        return guided_depths(surfaces, near, meets, sampling, generator)
