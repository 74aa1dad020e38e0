"""How much a volume contradicts what renders say of regions and of inside and outside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.render.renderer import RenderedRays

_LEAST_SHARE = 1e-3
# Depth behind a surface that is known to be inside, and softness of that knowledge; world units.
_SKIN, _SKIN_SOFTNESS = 0.06, 0.01


def inside_surprise(distance: Tensor, behind: Tensor, meets: Tensor) -> Tensor:
    """Return how much signed distances contradict what renders say of inside and outside.

    A ray is outside up to the surface that it meets, and inside for a little behind it; beyond
    nothing is known. A ray that meets none is outside everywhere.

    Args:
        distance: Signed distances [b, r, s].
        behind: How far behind the ray's surface a sample lies [b, r, s].
        meets: Whether there is one [b, r, 1], bool.
    """
    inside = meets & (behind > 0)
    known = ~inside | (behind < _SKIN)
    surprise = F.binary_cross_entropy_with_logits(
        -distance / _SKIN_SOFTNESS, inside.to(distance), reduction="none"
    )
    return (surprise * known).mean()


def region_surprise(rendered: RenderedRays, regions: Tensor) -> Tensor:
    """Return -log of the composited share of each pixel's true region [b, r].

    Args:
        rendered: Rays, whose number is b * r.
        regions: True regions [b, r], integers.
    """
    assert rendered.regions is not None
    background = rendered.regions[..., :1] + 1 - rendered.alpha
    shares = torch.cat([background, rendered.regions[..., 1:]], dim=-1)
    shares = shares.reshape(*regions.shape, -1)
    return -shares.gather(-1, regions[..., None])[..., 0].clamp_min(_LEAST_SHARE).log()
