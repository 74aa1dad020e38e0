"""IR-SE blocks: gates and shortcuts that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.ir_se import (
    IR_SE50_UNITS,
    IR_SE50_WIDTHS,
    EveryNth,
    ResidualUnit,
    SqueezeExcite,
    initialise_for_rectifiers,
    residual_body,
    stem,
)


@pytest.mark.parametrize(("squeeze", "seen"), [("mean", 1.0), ("max", 4.0)])
def test_a_gate_sees_the_mean_or_the_maximum_of_its_channel(squeeze, seen):
    gate = SqueezeExcite(1, squeeze=squeeze)
    with torch.no_grad():
        gate.fc1.weight.fill_(0.5)
        gate.fc2.weight.fill_(1.0)
        x = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
        made = gate(x)
    # The hidden layer is one channel wide: sigmoid(relu(0.5 * seen)).
    assert float(made[0, 0, 0, 0]) == pytest.approx(4 * torch.sigmoid(torch.tensor(seen / 2)))


def test_every_nth_is_a_max_pooling_with_a_window_of_one():
    x = torch.rand(1, 2, 5, 7)
    assert torch.equal(EveryNth(2)(x), functional.max_pool2d(x, 1, 2))
    assert torch.equal(EveryNth(1)(x), x)


def test_a_unit_whose_last_norm_is_silent_is_its_shortcut():
    x = torch.rand(2, 4, 6, 6)
    for channels in (4, 8):
        unit = ResidualUnit(4, channels, 2, squeeze=None).eval()
        nn.init.zeros_(unit.res_layer[-1].weight)
        torch.testing.assert_close(unit(x), unit.shortcut_layer(x))
    assert isinstance(unit.shortcut_layer, nn.Sequential)


def test_every_group_halves_the_size_once():
    body = residual_body((4, 6, 8), (2, 1, 2)).eval()
    assert len(body) == 5
    sizes, current = [], torch.rand(1, 4, 32, 32)
    for unit in body:
        current = unit(current)
        sizes.append(tuple(current.shape[1:]))
    assert sizes == [(4, 16, 16), (4, 16, 16), (6, 8, 8), (8, 4, 4), (8, 4, 4)]


def test_body_of_ir_se50_has_the_published_size():
    with torch.device("meta"):
        body = residual_body(IR_SE50_WIDTHS, IR_SE50_UNITS)
        first = stem(6, 64)
    assert len(body) == 24
    # Counted on the published encoder.
    assert sum(p.numel() for p in body.parameters()) == 30_948_160
    assert sum(p.numel() for p in first.parameters()) == 3_648


def test_groups_that_do_not_fit_are_refused():
    for widths, units in (((4, 8), (1,)), ((), ()), ((4,), (0,))):
        with pytest.raises(UserError, match="groups of residual units"):
            residual_body(widths, units)


def test_initial_weights_keep_the_strength_of_rectified_signals():
    layers: list[nn.Module] = []
    for _ in range(8):
        layers += [nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*layers)
    initialise_for_rectifiers(network, torch.Generator().manual_seed(0))
    x = torch.randn(2, 32, 16, 16)
    with torch.no_grad():
        made = network(x)
    # Without such weights less than a hundredth would be left.
    assert 0.2 < float(made.square().mean()) < 2
    assert all(not bool(layer.bias.any()) for layer in network[::2])
