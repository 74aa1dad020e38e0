"""The distance of style codes from usual ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from triptych.errors import UserError
from triptych.systems.invert.refinement.codes import CodePrior


def _codes(number: int, seed: int) -> torch.Tensor:
    """Return correlated normal numbers behind a leaky ReLU."""
    draws = torch.randn(number, 6, generator=torch.Generator().manual_seed(seed))
    mixing = torch.tril(torch.ones(6, 6))
    return F.leaky_relu(draws @ mixing.T + 0.5, 0.2)


def test_usual_codes_have_a_distance_of_one():
    prior = CodePrior(_codes(20_000, 0))
    assert abs(float(prior(_codes(5_000, 1))) - 1) < 0.03


def test_a_step_of_three_deviations_counts_nine():
    prior = CodePrior(_codes(20_000, 0))
    # The first draw enters all six numbers, each behind it the next ones: one unit of draw 2 adds
    # one unit to numbers 2 to 5, and its square is a sixth of the mean.
    before = torch.full((1, 6), 0.5)
    before[0, 2:] += 3.0
    assert abs(float(prior(F.leaky_relu(before, 0.2))) - 9 / 6) < 0.06


def test_what_never_varied_hardly_may():
    codes = _codes(5_000, 0)
    codes[:, 4] = 1.0
    usual = torch.ones(1, 6)
    moved = usual.clone()
    moved[0, 4] += 1.0
    prior = CodePrior(codes)
    assert float(prior(moved)) > 20 * float(prior(usual))


def test_gradients_lead_towards_the_mean():
    prior = CodePrior(_codes(20_000, 0))
    ws = torch.full((1, 3, 6), 4.0, requires_grad=True)
    prior(ws).backward()
    assert ws.grad is not None
    with torch.no_grad():
        assert prior(ws - 0.1 * ws.grad) < prior(ws)


def test_too_few_codes_are_refused():
    with pytest.raises(UserError, match="more than 6 codes"):
        CodePrior(_codes(6, 0))
