"""Disguised pictures: another background, the same head in the same place."""

from __future__ import annotations

import torch

from triptych.training.domain_randomisation import randomised

SIZE, GREY = 32, 0.5


def head() -> tuple[torch.Tensor, torch.Tensor]:
    alpha = torch.zeros(1, SIZE, SIZE)
    alpha[:, 8:24, 8:24] = 1
    colour = torch.tensor([0.8, -0.2, -0.6]).view(3, 1, 1)
    return alpha * colour + (1 - alpha) * GREY, alpha


def test_background_changes_and_the_head_hardly():
    image, alpha = head()
    changes = []
    for seed in range(8):
        made = randomised(image, alpha, GREY, seed)
        assert made.shape == image.shape
        assert float(made.abs().max()) <= 1
        inside = (made - image)[:, 11:21, 11:21].abs().mean()
        outside = (made - image)[:, :5].abs().mean()
        changes.append((float(inside), float(outside)))
    assert max(inside for inside, _ in changes) < 0.25
    assert sum(outside > 0.3 for _, outside in changes) >= 5


def test_without_alpha_the_background_stays():
    image, _ = head()
    made = randomised(image, None, GREY, 3)
    assert float((made - image)[:, :5].abs().mean()) < 0.25


def test_a_seed_gives_the_same_picture():
    image, alpha = head()
    assert torch.equal(randomised(image, alpha, GREY, 5), randomised(image, alpha, GREY, 5))
    assert not torch.equal(randomised(image, alpha, GREY, 5), randomised(image, alpha, GREY, 6))
