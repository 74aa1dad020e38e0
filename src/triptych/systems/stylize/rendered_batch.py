"""Looking at edited views while planes change: cheap patches, or whole pictures through SR."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError
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
from triptych.systems.stylize.surface import SurfaceMemory
from triptych.systems.stylize.views import EditedViews

_PATCHES_AT_ONCE = 2**16
_WHOLE_PIXELS_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class RenderedBatch:
    """Pictures to compare.

    Attributes:
        made: Rendered pictures or patches [b, 3, h, w].
        wanted: The edited ones [b, 3, h, w].
    """

    pred: Tensor
    target: Tensor


def with_plain_background(
    images: Tensor, alpha: Tensor, margin: int | None, background: float
) -> Tensor:
    """Paint pictures [v, 3, H, W] plain where no pixel within `margin` shows the unedited head.

    Args:
        images: Edited pictures in [-1, 1].
        alpha: Opacity of the unedited head [v, 1, h, w].
        margin: Distance in pixels of `alpha`, along rows and columns; None paints nothing.
        background: Value of the plain background.
    """
    if margin is None:
        return images
    near = F.max_pool2d((alpha > 0.5).float(), 2 * margin + 1, stride=1, padding=margin)
    near = F.interpolate(near, size=images.shape[-2:], mode="nearest")
    return torch.where(near > 0, images, torch.full_like(images, background))


class ViewRenderer:
    """Renders planes where the edited views look, with few samples per ray.

    Without a super-resolution head a visit is a patch of rays; with one it is a whole view,
    because the head's convolutions need their surroundings.

    Attributes:
        surface: Where the surface was last seen.
        views_at_once: How many views fit into memory together with their gradients.
    """

    def __init__(
        self, portrait: TriPlanePortrait, views: EditedViews, settings: StylizeSettings
    ) -> None:
        config = portrait.config.rendering
        if isinstance(config.ray_start, str) or isinstance(config.ray_end, str):
            raise UserError("stylising needs a head with fixed ray limits; its ray_start is 'auto'")
        self.portrait, self.settings, self.config = portrait, settings, config
        self.cameras = views.cameras
        self.ray_size = int(views.originals.depth.shape[-1])
        self.views_at_once = _PATCHES_AT_ONCE
        if portrait.superresolution is not None:
            self.views_at_once = max(1, _WHOLE_PIXELS_AT_ONCE // portrait.image_size**2)
        self.surface = SurfaceMemory(views.originals.depth, views.originals.alpha)
        self.sampling = GuidedSampling(
            num_spread=settings.num_spread,
            num_guided=settings.num_guided,
            deviation=settings.guided_deviation,
            near=config.ray_start,
            far=config.ray_end,
        )
        self.target = with_plain_background(
            views.images, views.originals.alpha, settings.background_margin, config.background
        )
        if portrait.superresolution is not None and views.images.shape[-1] != portrait.image_size:
            self.target = resize(self.target, portrait.image_size)

    def batch(self, planes: Tensor, views: Tensor, generator: torch.Generator) -> RenderedBatch:
        """Render views [b] of planes [1, 3, c, h, w] and return them beside what is wanted."""
        if self.portrait.superresolution is not None:
            return self._whole(planes, views, generator)
        settings = self.settings
        pixels, side = draw_patches(
            len(views), self.ray_size, settings.patch, settings.strides, generator
        )
        shown = self._render(planes, views, pixels, generator)
        target = self.target[views].flatten(2).gather(2, pixels[:, None].expand(-1, 3, -1))
        return RenderedBatch(
            as_picture(shown.features[..., :3], side), target.unflatten(2, (side, side))
        )

    def _whole(self, planes: Tensor, views: Tensor, generator: torch.Generator) -> RenderedBatch:
        head = self.portrait.superresolution
        assert head is not None
        pixels = torch.arange(self.ray_size**2).expand(len(views), -1)
        shown = self._render(planes, views, pixels, generator)
        features = as_picture(shown.features, self.ray_size)
        codes = self.portrait.ws.expand(len(views), -1, -1)
        with half_precision_where_fast(planes.device, self.settings.mixed_precision):
            image = head(features, codes)
        return RenderedBatch(image.float(), self.target[views])

    def _render(
        self, planes: Tensor, views: Tensor, pixels: Tensor, generator: torch.Generator
    ) -> RenderedRays:
        """Render pixels [b, r] of views [b] and remember where the surface is."""
        rays = rays_of(camera_rays(self.cameras[views], self.ray_size), pixels)
        depths = self._depths(views, pixels, generator)
        field = replace(self.portrait.field, planes=planes)
        # One head, many views: their rays are one batch, so that the planes are read once.
        joined = Rays(rays.origins.flatten(0, 1)[None], rays.directions.flatten(0, 1)[None])
        with half_precision_where_fast(planes.device, self.settings.mixed_precision):
            shown = render_at_depths(field, joined, depths.flatten(0, 1)[None], self.config)
        shape = (len(views), -1)
        features, depth, opacity = (
            part[0].unflatten(0, shape) for part in (shown.features, shown.depth, shown.alpha)
        )
        self.surface.learn(views, pixels, depth[..., 0].detach(), opacity[..., 0].detach())
        return RenderedRays(features.float(), depth, opacity)

    def _depths(self, views: Tensor, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Choose samples round the surfaces last seen at pixels [b, r] of views [b] and nearby."""
        sampling = self.sampling
        depth, known = self.surface.pictures(views)
        places = torch.stack([pixels % self.ray_size, pixels // self.ray_size], -1)
        surfaces, near = nearby_surfaces(
            depth, known, places, sampling.num_guided, sampling.reach, generator
        )
        meets = known.flatten(1).gather(1, pixels)
        return guided_depths(surfaces, near, meets, sampling, generator)
