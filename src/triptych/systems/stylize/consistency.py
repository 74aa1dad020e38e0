"""Which edited views disagree with their neighbours: the editor sees every view alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_NEIGHBOURS = 5
_BLOCKS = 4


def view_statistics(images: Tensor, alpha: Tensor) -> Tensor:
    """Describe views by where their colours lie.

    Args:
        images: Edited views [v, 3, h, w] in [-1, 1].
        alpha: Opacity [v, 1, h, w] of the original head in the same views.

    Returns:
        Mean and spread of the head's colour and the colours of 4 x 4 blocks, [v, 54].
    """
    weight = alpha / alpha.sum((2, 3), keepdim=True).clamp(min=1e-6)
    mean = (images * weight).sum((2, 3))
    variance = ((images - mean[..., None, None]).square() * weight).sum((2, 3))
    blocks = F.adaptive_avg_pool2d(images, _BLOCKS).flatten(1)
    return torch.cat([mean, variance.sqrt(), blocks], 1)


def inconsistency(statistics: Tensor, directions: Tensor) -> Tensor:
    """Score how much each view differs from the views beside it.

    The score is the median distance to the nearest five views, so one bad neighbour does not
    count, and it is relative to the middle view, so a style that changes with the view does not.

    Args:
        statistics: Descriptions of the views [v, d].
        directions: Where each camera stands, [v, 3].

    Returns:
        Scores [v]; about 1 for ordinary views.
    """
    neighbours = min(_NEIGHBOURS, len(statistics) - 1)
    if neighbours < 1:
        return torch.ones(len(statistics))
    angles = torch.cdist(F.normalize(directions, dim=1), F.normalize(directions, dim=1))
    angles.fill_diagonal_(float("inf"))
    nearest = angles.topk(neighbours, largest=False).indices
    distances = (statistics[:, None] - statistics[nearest]).square().mean(-1).sqrt()
    scores = distances.median(1).values
    # Below a hundredth of the colour range a difference is rounding, not disagreement.
    return scores / scores.median().clamp(min=0.01)


def consistent_views(scores: Tensor, ratio: float, largest_share: float) -> Tensor:
    """Choose the views to keep: all but the worst, and always the front (index 0).

    Args:
        scores: Inconsistency [v].
        ratio: Scores above this are dropped.
        largest_share: Largest share of the views that may be dropped.

    Returns:
        Kept views [v], bool.
    """
    suspects = scores.clone()
    suspects[0] = 0.0
    worst_first = suspects.argsort(descending=True)[: int(largest_share * len(scores))]
    kept = torch.ones(len(scores), dtype=torch.bool)
    kept[worst_first[suspects[worst_first] > ratio]] = False
    return kept
