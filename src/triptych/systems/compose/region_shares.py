"""Rendered shares of regions as maps, and how well they agree with true ones."""

from __future__ import annotations

import torch
from torch import Tensor


def whole_shares(regions: Tensor, alpha: Tensor) -> Tensor:
    """Return shares [v, k, h, w] in which what is not covered is background."""
    return torch.cat([regions[:, :1] + 1 - alpha, regions[:, 1:]], dim=1)


def region_ious(pred: Tensor, target: Tensor, num_regions: int) -> dict[int, float]:
    """Return intersection over union of each region that occurs in the target [n, h, w]."""
    found = {}
    for region in range(num_regions):
        one, other = pred == region, target == region
        if bool(other.any()):
            found[region] = float((one & other).sum() / (one | other).sum())
    return found
