"""Rendered shares of regions as maps, and how well they agree with true ones."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.portrait import View


def whole_shares(regions: Tensor, alpha: Tensor) -> Tensor:
    """Return shares [v, k, h, w] in which what is not covered is background."""
    return torch.cat([regions[:, :1] + 1 - alpha, regions[:, 1:]], dim=1)


def region_map(view: View) -> Tensor:
    """Return the region of every pixel [v, h, w] of a view that has regions."""
    assert view.regions is not None
    shares = view.regions
    if shares.shape[-1] == view.alpha.shape[-1]:  # a decoder's masks are whole already
        shares = whole_shares(shares, view.alpha)
    return shares.argmax(dim=1)


def region_ious(pred: Tensor, target: Tensor, num_regions: int) -> dict[int, float]:
    """Return intersection over union of each region that occurs in the target [n, h, w]."""
    found = {}
    for region in range(num_regions):
        one, other = pred == region, target == region
        if bool(other.any()):
            found[region] = float((one & other).sum() / (one | other).sum())
    return found
