"""Rendered rays laid out as pictures."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from triptych.render.renderer import RenderedRays


@dataclass(frozen=True, eq=False)
class Rendering:
    """Pictures of v views.

    Attributes:
        image: Final images [v, 3, H, W], nominally in [-1, 1].
        image_raw: Images as rendered, before super-resolution [v, 3, h, w].
        features: All rendered features [v, c, h, w], in [-1, 1].
        depth: Distance along the unit ray [v, 1, h, w].
        alpha: How much of the background is hidden [v, 1, h, w], in [0, 1].
        regions: Share of each region [v, k, h, w], or None.
    """

    image: Tensor
    image_raw: Tensor
    features: Tensor
    depth: Tensor
    alpha: Tensor
    regions: Tensor | None = None


def as_picture(per_ray: Tensor, size: int) -> Tensor:
    """Lay values of rays [v, size * size, c] out as pictures [v, c, size, size]."""
    return per_ray.transpose(1, 2).unflatten(2, (size, size)).contiguous()


def rendering_of(rays: RenderedRays, size: int) -> Rendering:
    """Lay rendered rays out as pictures without super-resolution."""
    features = as_picture(rays.features, size)
    image = features[:, :3]
    depth, alpha = as_picture(rays.depth, size), as_picture(rays.alpha, size)
    regions = None if rays.regions is None else as_picture(rays.regions, size)
    return Rendering(image, image, features, depth, alpha, regions)
