"""Compositing along rays: one weighted sum over samples, by any marching rule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.render.marching_rules import MarchingRule


@dataclass(frozen=True, eq=False)
class MarchedRays:
    """The composited values of rays.

    Attributes:
        features: Weighted sum of features [b, r, c]; no background added.
        depth: Weighted mean depth [b, r, 1]; inf where the total is 0.
        alpha: Accumulated opacity [b, r, 1], in [0, 1], without a backdrop; see `marching_rules`.
        total: Sum of all weights [b, r, 1]; the rest is the background's.
        regions: Weighted sum of regions [b, r, k], or None.
    """

    features: Tensor
    depth: Tensor
    alpha: Tensor
    total: Tensor
    regions: Tensor | None = None


def march(
    features: Tensor,
    geometry: Tensor,
    depths: Tensor,
    rule: MarchingRule,
    *,
    regions: Tensor | None = None,
    order: Tensor | None = None,
) -> MarchedRays:
    """Composite samples along rays; samples of a ray may come in any order.

    The weighted sum runs over the samples in the order given, so features are never sorted.

    Args:
        features: Features at the samples [b, r, s, c].
        geometry: Raw densities or signed distances, as the rule wants [b, r, s, 1].
        depths: Depths along the unit rays [b, r, s, 1].
        rule: Turns geometry into weights.
        regions: Shares of regions at the samples [b, r, s, k].
        order: Permutation that sorts the depths [b, r, s], where it is known already.
    """
    depths, geometry = depths.squeeze(-1), geometry.squeeze(-1)
    if order is None:
        order = depths.argsort(dim=-1, stable=True)
    weighed = rule.weigh(geometry.gather(-1, order), depths.gather(-1, order))
    weights = torch.zeros_like(weighed.samples).scatter(-1, order, weighed.samples)
    seen = weighed.total > 0
    total_depth = (weights * depths).sum(dim=-1, keepdim=True)
    depth = torch.where(seen, total_depth / torch.where(seen, weighed.total, 1.0), torch.inf)
    return MarchedRays(
        _gathered(weights, features),
        depth,
        weighed.alpha,
        weighed.total,
        None if regions is None else _gathered(weights, regions),
    )


def _gathered(weights: Tensor, values: Tensor) -> Tensor:
    return (weights[..., None, :] @ values).squeeze(-2)
