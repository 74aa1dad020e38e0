from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from triptych.errors import UserError
from triptych.nn.synthesis_layers import LayerOptions, SynthesisLayer
from triptych.nn.synthesis_network import SynthesisNetwork, channels_at


def network(architecture="skip", **options) -> SynthesisNetwork:
    return SynthesisNetwork(
        8,
        16,
        6,
        channel_base=64,
        channel_max=8,
        architecture=architecture,
        options=LayerOptions(**options),
        rng=torch.Generator().manual_seed(14),
    ).eval()


def codes(net: SynthesisNetwork, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, net.num_ws, 8, generator=torch.Generator().manual_seed(15))


def test_channels():
    assert [channels_at(size, 32768, 512) for size in (4, 64, 128, 256)] == [512, 512, 256, 128]


def test_slots_and_shapes():
    net = network()
    assert net.num_ws == 6  # one convolution at 4, two at 8 and at 16, the last read-out
    assert net(codes(net)).shape == (2, 6, 16, 16)


def test_readouts_share_the_slot_of_the_next_convolution():
    """Slot 1 feeds b4's read-out and b8's first convolution; without either it has no effect."""
    net = network()
    ws = codes(net, 1)
    changed = ws.clone()
    changed[:, 1] += 1
    assert not torch.equal(net(ws), net(changed))
    with torch.no_grad():
        net.b4.torgb.affine.weight.zero_()
        net.b8.conv0.affine.weight.zero_()
    assert torch.equal(net(ws), net(changed))


def test_orig_architecture_reads_out_once():
    net = network("orig")
    assert not hasattr(net.b4, "torgb")
    assert hasattr(net.b16, "torgb")
    assert net.num_ws == 6
    assert net(codes(net)).shape == (2, 6, 16, 16)


def test_noise_modes():
    net = network()
    ws = codes(net)
    quiet = net(ws, noise_mode="none")
    assert torch.equal(net(ws, noise_mode="const"), quiet)  # strengths start at zero
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, SynthesisLayer):
                module.noise_strength.fill_(0.5)
    stored = net(ws, noise_mode="const")
    assert not torch.equal(stored, quiet)
    first, again, other = (
        net(ws, noise_mode="random", generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(UserError, match="generator"):
        net(ws, noise_mode="random")


def test_without_noise_there_are_no_noise_parameters():
    net = network(use_noise=False)
    assert not [key for key in net.state_dict() if "noise" in key]
    assert torch.isfinite(net(codes(net), noise_mode="const")).all()


def test_clamp_limits_every_layer():
    net = network()
    with torch.no_grad():
        net.b8.conv0.bias.fill_(1e4)
    free = net(codes(net))
    for module in net.modules():
        if hasattr(module, "options"):
            module.options = replace(module.options, conv_clamp=2.0)
    limited = net(codes(net))
    assert limited.abs().max() < free.abs().max()
    assert limited.abs().max() <= 2.0 * 3 * 4  # three clamped read-outs, FIR gain at most 4


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_automatic_modulation_follows_the_mode(mode):
    net = network(use_noise=False)
    net.train(mode == "train")
    expected = {"eval": "weights", "train": "activations"}[mode]
    assert net.b8.conv0.options.modulation_when(net.training) == expected


@pytest.mark.parametrize("training", [False, True])
def test_a_modulation_that_is_asked_for_is_taken_whatever_the_mode(training):
    net = network().train(training)
    for asked in ("weights", "activations"):
        expected = network(modulation=asked)(codes(net))
        assert torch.equal(net(codes(net), modulation=asked), expected)


def test_training_and_evaluation_agree():
    net = network()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, SynthesisLayer):
                module.noise_strength.fill_(0.3)
    ws = codes(net)
    torch.testing.assert_close(net.train()(ws), net.eval()(ws), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["skip", "orig"])
def test_memory_format_does_not_change_the_result(architecture):
    net = network(architecture, up_convolution="composed", resample_filter=(1.0, 1.0)).train()
    ws = codes(net)
    usual = net(ws)
    last = net.to(memory_format=torch.channels_last)(ws)
    torch.testing.assert_close(last, usual, atol=1e-4, rtol=1e-4)


def test_sizes_that_are_no_power_of_two_are_refused():
    with pytest.raises(UserError, match="power of two"):
        SynthesisNetwork(
            8,
            24,
            3,
            channel_base=64,
            channel_max=8,
            architecture="skip",
            options=LayerOptions(),
            rng=torch.Generator(),
        )
