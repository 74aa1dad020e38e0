"""Non-saturating adversarial losses and the gradient penalty, which several systems share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def real_scores_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's logistic loss of scores [b, 1] of real and of made pictures."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def fooling_loss(fake: Tensor) -> Tensor:
    """Return the generator's non-saturating loss of scores [b, 1] of made pictures."""
    return functional.softplus(-fake).mean()


def gradient_penalties(scores: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the mean over the batch of the squared gradient's norm, for each input.

    Args:
        scores: Scores [b, 1]; samples of a batch must not influence each other's but through the
            batch's spread, as published.
        inputs: Tensors [b, ...] that require gradients: pictures and what belongs to them.

    Reference: Mescheder et al., Which training methods for GANs do actually converge? (2018), R1.
    """
    gradients = torch.autograd.grad(scores.sum(), list(inputs), create_graph=True)
    return [gradient.square().flatten(1).sum(dim=1).mean() for gradient in gradients]
