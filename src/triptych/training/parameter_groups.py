"""Groups of parameters that learn at rates of their own, and the optimiser of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from triptych.training.ranger import Ranger


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Parameters with a learning rate of their own.

    Attributes:
        parameters: They belong to no other group.
        rate_gain: Factor on the learning rate.
        betas: Moment decays; the loop's when None.
        weight_decay: Decoupled weight decay; the loop's when None.
    """

    parameters: list[nn.Parameter]
    rate_gain: float = 1.0
    betas: tuple[float, float] | None = None
    weight_decay: float | None = None


def weights_and_biases(parameters: list[nn.Parameter], weight_gain: float) -> list[ParameterGroup]:
    """Return parameters of two or more dimensions, whose rate has a gain, and all others."""
    weights = [p for p in parameters if p.ndim > 1]
    biases = [p for p in parameters if p.ndim <= 1]
    return [ParameterGroup(weights, weight_gain), ParameterGroup(biases)]


def grouped_by_inputs(parameters: list[nn.Parameter], full_rate: int) -> list[ParameterGroup]:
    """Return weights whose rate falls with the inputs of an output, and all others at full rate.

    A step of Adam moves all weights of an output by about the same amount, so that it moves the
    output by that times the sum of the inputs. Where many of them are positive, an early step would
    drown what the layer tells of its input.

    Args:
        parameters: Weights [o, i, ...] and others.
        full_rate: Outputs of at most so many inputs learn at the full rate.

    Reference:
        Yang et al., Tensor Programs V (2022), Table 3: Adam's rate falls with 1 / fan-in.
    """
    by_gain: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        inputs = parameter[0].numel() if parameter.ndim > 1 else 1
        by_gain.setdefault(min(1.0, full_rate / inputs), []).append(parameter)
    return [ParameterGroup(members, gain) for gain, members in by_gain.items()]


def optimiser_of(
    groups: list[ParameterGroup],
    kind: Literal["adam", "ranger"],
    rate: float,
    *,
    betas: tuple[float, float],
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Return the optimiser of groups; see `loop.LoopConfig` for its settings.

    Each of its groups has a `rate_gain` beside torch's own entries.
    """
    settings = [
        {
            "params": group.parameters,
            "rate_gain": group.rate_gain,
            "betas": group.betas or betas,
            "weight_decay": weight_decay if group.weight_decay is None else group.weight_decay,
        }
        for group in groups
    ]
    if kind == "ranger":
        return Ranger(settings, rate, betas=betas, weight_decay=weight_decay)
    if any(setting["weight_decay"] for setting in settings):
        return torch.optim.AdamW(settings, rate, betas=betas, weight_decay=weight_decay, fused=True)
    return torch.optim.Adam(settings, rate, betas=betas, fused=True)
