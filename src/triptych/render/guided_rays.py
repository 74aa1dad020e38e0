"""Rays through chosen pixels with samples gathered where the surface is known to be.

A ray of a training picture whose depth is known needs few samples: some spread over the whole
range keep empty space empty, the rest lie round the surface. Fourteen do the work of ninety-six.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GuidedSampling:
    """How many samples a ray gets and where.

    Attributes:
        num_spread: Stratified samples over the whole range.
        num_guided: Samples round surfaces that the ray meets or passes; spread too where there
            is none.
        deviation: Standard deviation of the guided samples of a ray that meets a surface, in world
            units; half of them use a third of it.
        deviation_beside: The same for a ray that only passes one: two pixels from the outline of a
            head it is within a pixel's width of the surface for about this long.
        reach: How many pixels beside the outline a ray counts as passing the surface.
        near: Nearest distance along the ray.
        far: Farthest distance along the ray.
    """

    num_spread: int = 8
    num_guided: int = 6
    deviation: float = 0.02
    deviation_beside: float = 0.04
    reach: int = 8
    near: float = 2.25
    far: float = 3.3


def rays_through(
    cam2world: Tensor, pixels: Tensor, size: int, focal: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the unit rays through pixel centres.

    Args:
        cam2world: [b, 4, 4].
        pixels: Column and row of each pixel [b, r, 2].
        size: Picture size in pixels.
        focal: Focal length, normalised by the picture size; the principal point is the centre.

    Returns:
        Origins [b, r, 3], unit directions [b, r, 3], and the length [b, r] of a step that advances
        the camera's z by one: distance along the ray = camera z * length.
    """
    on_plane = ((pixels + 0.5) / size - 0.5) / focal
    towards = torch.cat([on_plane, torch.ones_like(on_plane[..., :1])], -1)
    length = towards.norm(dim=-1)
    directions = torch.einsum("bij,brj->bri", cam2world[:, :3, :3], towards / length[..., None])
    origins = cam2world[:, None, :3, 3].expand_as(directions)
    return origins, directions, length


def guided_depths(
    surfaces: Tensor,
    known: Tensor,
    meets: Tensor,
    sampling: GuidedSampling,
    generator: torch.Generator,
) -> Tensor:
    """Draw sorted sample distances for each ray.

    Args:
        surfaces: Distance of the surface that each guided sample lies round [b, r, num_guided]; see
            `render.nearby_surfaces`.
        known: Whether there is one [b, r, num_guided], bool.
        meets: Whether the ray itself meets a surface [b, r], bool.
        sampling: How many samples and where.
        generator: Source of the draws, on the CPU.

    Returns:
        Distances [b, r, num_spread + num_guided], increasing.
    """
    extent = sampling.far - sampling.near
    shape = (*meets.shape, sampling.num_spread)
    strata = torch.arange(sampling.num_spread) + torch.rand(shape, generator=generator)
    spread = sampling.near + extent * strata.to(surfaces) / sampling.num_spread
    narrow = torch.rand(surfaces.shape, generator=generator).to(surfaces) < 0.5
    deviation = torch.where(meets, sampling.deviation, sampling.deviation_beside)[..., None]
    deviation = deviation * torch.where(narrow, 0.35, 1.0)
    around = surfaces + torch.randn(surfaces.shape, generator=generator).to(surfaces) * deviation
    drawn = torch.rand(surfaces.shape, generator=generator).to(surfaces)
    anywhere = sampling.near + extent * drawn
    guided = torch.where(known, around.clamp(sampling.near, sampling.far), anywhere)
    return torch.cat([spread, guided], -1).sort(-1).values
