"""Ranger: its three parts, each by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from triptych.errors import UserError
from triptych.training.ranger import Ranger, rectified_step


def stepped(parameter: nn.Parameter, gradients: list[float], **settings) -> list[float]:
    optimiser = Ranger([parameter], **settings)
    seen = []
    for gradient in gradients:
        parameter.grad = torch.full_like(parameter, gradient)
        optimiser.step()
        seen.append(float(parameter.detach().flatten()[0]))
    return seen


def test_first_steps_are_unnormalised_momentum():
    # The mean after one step is (1 - 0.95) * g, and its bias is corrected by 1 / (1 - 0.95).
    first, second = stepped(nn.Parameter(torch.zeros(1)), [2.0, 2.0], lr=0.1)
    assert first == pytest.approx(-0.2)
    assert second == pytest.approx(-0.4)


def test_rectification_begins_with_the_sixth_step():
    known = [rectified_step(step, (0.95, 0.999))[1] for step in range(1, 9)]
    assert known == [False] * 5 + [True] * 3
    # Far on nothing is left to correct.
    factor, normalised = rectified_step(100_000, (0.95, 0.999))
    assert (factor, normalised) == (pytest.approx(1.0), True)


def test_rectification_by_the_papers_formula():
    step, second = 50, 0.999
    limit = 2 / (1 - second) - 1
    samples = limit - 2 * step * second**step / (1 - second**step)
    r = math.sqrt((samples - 4) * (samples - 2) * limit / ((limit - 4) * (limit - 2) * samples))
    corrections = math.sqrt(1 - second**step) / (1 - 0.9**step)
    assert rectified_step(step, (0.9, second))[0] == pytest.approx(r * corrections)


def test_weights_return_half_way_every_few_steps():
    plain = stepped(nn.Parameter(torch.zeros(1)), [1.0] * 3, lr=0.1, lookahead_every=100)
    looking = stepped(nn.Parameter(torch.zeros(1)), [1.0] * 3, lr=0.1, lookahead_every=3)
    assert looking[:2] == plain[:2]
    assert looking[2] == pytest.approx(plain[2] / 2)


def test_a_constant_gradient_of_a_weight_says_nothing():
    assert stepped(nn.Parameter(torch.ones(2, 3)), [1.0] * 3, lr=0.1) == [1.0] * 3
    moved = stepped(nn.Parameter(torch.ones(2, 3)), [1.0], lr=0.1, centralise=False)
    assert moved == [pytest.approx(0.9)]


def test_weight_decay_is_decoupled():
    moved = stepped(nn.Parameter(torch.ones(1)), [0.0], lr=0.1, weight_decay=0.5)
    assert moved == [pytest.approx(0.95)]


def test_state_survives_a_checkpoint(tmp_path):
    gradients = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))

    def run(parameter, optimiser, rows):
        for row in rows:
            parameter.grad = row.clone()
            optimiser.step()

    whole = nn.Parameter(torch.zeros(3))
    run(whole, Ranger([whole], lr=0.1), gradients)
    first = nn.Parameter(torch.zeros(3))
    optimiser = Ranger([first], lr=0.1)
    run(first, optimiser, gradients[:4])
    torch.save(optimiser.state_dict(), tmp_path / "state.pt")
    second = nn.Parameter(first.detach().clone())
    resumed = Ranger([second], lr=0.1)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(second, resumed, gradients[4:])
    torch.testing.assert_close(second, whole)


def test_settings_that_cannot_be():
    for settings in ({"lookahead_every": 0}, {"lookahead_share": 1.5}):
        with pytest.raises(UserError, match="lookahead"):
            Ranger([nn.Parameter(torch.zeros(1))], **settings)
