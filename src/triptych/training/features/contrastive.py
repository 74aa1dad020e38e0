"""Supervised contrastive loss: views of one head attract, all other heads repel."""

from __future__ import annotations

import torch
from torch import Tensor


def supervised_contrastive_loss(
    embeddings: Tensor, labels: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """Return the mean over anchors of the negative log-probability of their positives.

    Args:
        embeddings: Unit vectors [n, d].
        labels: Whom each vector belongs to [n], integers.
        temperature: Divides the cosines; smaller looks harder at near misses.

    Returns:
        Loss []; anchors without a positive are left out, zero when there is none at all.

    Reference:
        Khosla et al. 2020, "Supervised Contrastive Learning", Eq. 2 (sum outside the logarithm).
    """
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    similarity = embeddings @ embeddings.T / temperature
    log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(
        dim=1, keepdim=True
    )
    positive = (labels[:, None] == labels[None, :]) & ~itself
    count = positive.sum(dim=1)
    per_anchor = -log_share.masked_fill(~positive, 0.0).sum(dim=1) / count.clamp(min=1)
    return per_anchor.sum() / (count > 0).sum().clamp(min=1)
