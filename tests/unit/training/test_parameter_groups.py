"""Rates of parameters by the inputs of their layers."""

from __future__ import annotations

from torch import nn

from triptych.training.parameter_groups import grouped_by_inputs


def test_layers_with_many_inputs_learn_slower():
    layers = nn.Sequential(nn.Conv2d(4, 2, 3), nn.Linear(8, 2), nn.Linear(16, 5))
    groups = grouped_by_inputs(list(layers.parameters()), 12)
    gains = {id(one): group.rate_gain for group in groups for one in group.parameters}
    assert len(gains) == sum(len(group.parameters) for group in groups) == 6
    assert gains[id(layers[0].weight)] == 12 / 36
    assert gains[id(layers[1].weight)] == 1
    assert gains[id(layers[2].weight)] == 12 / 16
    assert {gains[id(layer.bias)] for layer in layers} == {1}
