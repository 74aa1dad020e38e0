"""IR-SE blocks: gates and shortcuts that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from triptych.errors import UserError
from triptych.nn.ir_se import (
    IR_SE50_UNITS,
    IR_SE50_WIDTHS,
    EveryNth,
    ResidualUnit,
    ShortcutConv2d,
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


class ConvolutionGradients(TorchDispatchMode):
    """Records the strides and input channels of every convolution whose gradient is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[list[int], int]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution_backward.default:
            self.seen.append((list(args[4]), args[1].shape[1]))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("channels", [4, 15, 16])
def test_a_shortcut_is_a_strided_convolution(channels):
    shortcut = ShortcutConv2d(channels, 6, 2)
    x = torch.rand(2, channels, 7, 8).to(memory_format=torch.channels_last).requires_grad_()
    y = shortcut(x)
    torch.testing.assert_close(y, functional.conv2d(x, shortcut.weight, stride=2))
    towards = torch.rand_like(y)
    of_x, of_weight = torch.autograd.grad(y, [x, shortcut.weight], towards)
    kept = x.detach()[:, :, ::2, ::2]
    expected = torch.einsum("bohw,bihw->oi", towards, kept)
    torch.testing.assert_close(of_weight[:, :, 0, 0], expected)
    expected = torch.einsum("bohw,oi->bihw", towards, shortcut.weight[:, :, 0, 0].detach())
    torch.testing.assert_close(of_x[:, :, ::2, ::2], expected)
    assert not of_x[:, :, 1::2].any()
    assert not of_x[:, :, :, 1::2].any()


def test_no_gradient_of_a_strided_shortcut_with_few_channels_reaches_onednn():
    """It would write past a buffer: see `ShortcutConv2d`."""
    body = residual_body((4, 6, 20, 24), (1, 1, 1, 1)).to(memory_format=torch.channels_last)
    x = torch.rand(4, 4, 32, 32).contiguous(memory_format=torch.channels_last)
    loss = body(x).sum()
    with ConvolutionGradients() as gradients:
        loss.backward()
    pointwise = [body[index].shortcut_layer[0] for index in (1, 2, 3)]
    assert [layer.weight.grad is not None for layer in pointwise] == [True] * 3
    strided = [channels for stride, channels in gradients.seen if stride == [2, 2]]
    # The strided 3x3 convolutions of the four units, and the only shortcut with enough channels.
    assert sorted(strided) == [4, 6, 20, 20, 24]


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
