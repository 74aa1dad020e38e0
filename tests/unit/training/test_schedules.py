"""Learning rate and weight average over a run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.training.schedules import frozen_copy, update_average, warmup_cosine


def test_the_rate_warms_up_linearly_and_falls_as_a_cosine():
    def factor(step: int, fraction: float) -> float:
        return warmup_cosine(step, fraction, warmup_steps=4, final=0.2)

    assert factor(0, 0.0) == 0.25
    assert factor(3, 0.0) == 1.0
    assert factor(10, 0.5) == pytest.approx(0.6)  # halfway between 1 and 0.2
    assert factor(10, 1.0) == pytest.approx(0.2)
    assert warmup_cosine(0, 0.0, warmup_steps=0, final=0.2) == 1.0


def test_the_average_follows_the_weights():
    network = nn.BatchNorm1d(1)
    averaged = frozen_copy(network)
    assert not averaged.training
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
    with torch.no_grad():
        network.weight.fill_(12.0)
        network.running_mean.fill_(5.0)
    update_average(averaged, network, step=1, decay=0.9)
    assert float(averaged.weight) == pytest.approx(1 + 11 * (1 - 2 / 11))  # decay 2 / 11
    assert float(averaged.running_mean) == 5.0
    with torch.no_grad():
        averaged.weight.fill_(0.0)
    update_average(averaged, network, step=10_000, decay=0.9)
    assert float(averaged.weight) == pytest.approx(1.2)  # the limit of the decay
