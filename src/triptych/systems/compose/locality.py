"""How local a swap of regions is: what changes outside of their masks, against what inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.camera import Camera
from triptych.systems.compose.region_portrait import RegionPortrait

_DILATION_SHARE = 1 / 16


@dataclass(frozen=True)
class Locality:
    """How pictures change by a swap.

    Attributes:
        inside: Mean absolute change of pixels inside the (widened) masks, in [0, 2].
        outside: The same outside of them.
    """

    inside: float
    outside: float

    @property
    def ratio(self) -> float:
        """Change outside over change inside; 0 is perfectly local, 0 too where nothing changes."""
        return self.outside / self.inside if self.inside else 0.0

    def record(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return {
            "inside": round(self.inside, 5),
            "outside": round(self.outside, 5),
            "ratio": round(self.ratio, 4),
        }


def pooled_ratio(swaps: Sequence[Locality]) -> float:
    """Return the mean change outside over the mean change inside, both over all swaps.

    A mean of ratios would be decided by swaps of regions that are nearly alike.
    """
    inside = sum(swap.inside for swap in swaps)
    return sum(swap.outside for swap in swaps) / inside if inside else 0.0


@torch.no_grad()
def swap_locality(
    before: RegionPortrait,
    after: RegionPortrait,
    regions: tuple[int, ...],
    camera: Camera | None = None,
) -> Locality:
    """Compare a portrait with one in which some regions were swapped.

    Args:
        before: The portrait.
        after: The same with other regions.
        regions: Indices of the regions that were swapped.
        camera: From where; the portrait's own by default.
    """
    views = [portrait.render(camera) for portrait in (before, after)]
    inside = torch.zeros_like(views[0].image[:, :1])
    for view in views:
        assert view.regions is not None
        inside = torch.maximum(inside, widened(mask_of_regions(view.regions, regions)))
    change = (views[0].image - views[1].image).abs().mean(dim=1, keepdim=True)
    return Locality(_mean(change, inside > 0), _mean(change, inside == 0))


def mask_of_regions(shares: Tensor, regions: tuple[int, ...]) -> Tensor:
    """Return where one of some regions has the largest share [v, 1, h, w], 0 or 1."""
    chosen = torch.tensor(regions, device=shares.device)
    return torch.isin(shares.argmax(dim=1, keepdim=True), chosen).to(shares.dtype)


def widened(mask: Tensor) -> Tensor:
    """Widen masks [v, 1, h, w] by a sixteenth of the picture on each side."""
    reach = max(1, round(mask.shape[-1] * _DILATION_SHARE))
    return F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)


def _mean(change: Tensor, where: Tensor) -> float:
    return float(change[where].mean()) if bool(where.any()) else 0.0
