"""Supervised contrastive loss against sums done by hand."""

from __future__ import annotations

import math

import torch

from triptych.training.features.recipe import supervised_contrastive_loss


def test_two_heads_with_two_views_each() -> None:
    # Views of a head coincide, heads are orthogonal: cosines 1 within, 0 across. With temperature
    # 1/2 each anchor's log-share of its one partner is 2 - log(e^2 + 2 e^0).
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    loss = supervised_contrastive_loss(embeddings, torch.tensor([0, 0, 1, 1]), temperature=0.5)
    assert math.isclose(float(loss), math.log(math.e**2 + 2) - 2, rel_tol=1e-6)


def test_a_mean_over_partners_is_taken_outside_the_logarithm() -> None:
    # Anchor 0 has partners at cosine 1 and 0; partners 1 and 2 see cosines (1, 0) and (0, 0).
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss = supervised_contrastive_loss(embeddings, torch.tensor([4, 4, 4]), temperature=1.0)
    near = math.log(math.e + 1)
    expected = ((near - 1) + near) / 2 * 2 / 3 + math.log(2) / 3
    assert math.isclose(float(loss), expected, rel_tol=1e-6)


def test_heads_with_one_view_only_repel() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss = supervised_contrastive_loss(embeddings, torch.tensor([0, 0, 1]), temperature=1.0)
    assert math.isclose(float(loss), math.log(math.e + 1) - 1, rel_tol=1e-6)
    alone = supervised_contrastive_loss(embeddings, torch.tensor([0, 1, 2]))
    assert float(alone) == 0.0


def test_gradient_pulls_partners_together() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], requires_grad=True)
    supervised_contrastive_loss(embeddings, torch.tensor([0, 0, 1]), temperature=1.0).backward()
    assert embeddings.grad is not None
    step = -embeddings.grad[0]
    assert float(step @ torch.tensor([0.0, 1.0])) > 0
