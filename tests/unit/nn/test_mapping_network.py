from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from triptych.nn.mapping_network import MappingNetwork, normalise_second_moment


def network(**changes) -> MappingNetwork:
    settings = {"num_layers": 2, "layer_features": 6, "embed_features": 5, **changes}
    rng = torch.Generator().manual_seed(13)
    return MappingNetwork(4, 3, 7, rng=rng, **settings).requires_grad_(False)


def test_formula():
    net = network()
    net.embed.bias.copy_(torch.linspace(-1, 1, 5))
    net.fc0.bias.copy_(torch.linspace(-50, 50, 6))
    z, label = torch.tensor([[1.0, -2, 3, 0.5]]), torch.tensor([[0.3, -0.1, 0.7]])

    def unit(x):
        return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()

    embedded = label @ net.embed.weight.t() / math.sqrt(3) + net.embed.bias
    x = torch.cat([unit(z), unit(embedded)], dim=1)
    for layer in (net.fc0, net.fc1):
        x = x @ (layer.weight * 0.01 / math.sqrt(x.shape[1])).t() + layer.bias * 0.01
        x = F.leaky_relu(x, 0.2) * math.sqrt(2)
    torch.testing.assert_close(net(z, label), x)


def test_latents_are_normalised_only_when_asked():
    z, label = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)), torch.ones(2, 3)
    with_norm, without = network(), network(normalize_z=False)
    torch.testing.assert_close(with_norm(3 * z, label), with_norm(z, label))
    assert (without(3 * z, label) - without(z, label)).abs().max() > 1e-2


def test_second_moment():
    x = normalise_second_moment(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(x, torch.tensor([[3.0, 4.0]]) / math.sqrt(12.5))


@pytest.mark.parametrize(("cutoff", "moved"), [(None, 4), (2, 2), (4, 4)])
def test_truncation(cutoff, moved):
    net = network()
    net.w_avg.fill_(10.0)
    ws = torch.zeros(1, 4, 7)
    truncated = net.truncate(ws, 0.7, cutoff)
    torch.testing.assert_close(truncated[:, :moved], torch.full((1, moved, 7), 3.0))
    assert (truncated[:, moved:] == 0).all()
    assert torch.equal(net.truncate(ws, 1.0, cutoff), ws)


def test_label_only():
    rng = torch.Generator().manual_seed(1)
    net = MappingNetwork(0, 3, 7, num_layers=2, track_average=False, rng=rng)
    assert net(None, torch.ones(2, 3)).shape == (2, 7)
    assert "w_avg" not in net.state_dict()
