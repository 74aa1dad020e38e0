"""FF3D Eq. 3 by hand, and both readings of its gamma and beta."""

from __future__ import annotations

import pytest
import torch

from triptych.nn.spatial_modulation import SpatialModulation, normalise_channels


def test_normalises_over_channels_at_each_position():
    # At the left position the channels are (1, 3): mean 2, biased deviation 1 -> (-1, 1).
    # At the right position they are (10, 10): mean 10, deviation 0 -> (0, 0).
    x = torch.tensor([[[[1.0, 10.0]], [[3.0, 10.0]]]])
    expected = torch.tensor([[[[-1.0, 0.0]], [[1.0, 0.0]]]])
    torch.testing.assert_close(normalise_channels(x, eps=1e-12), expected)


def test_epsilon_is_added_to_the_variance():
    # Channels (0, 2): variance 1; with eps 3 the deviation is sqrt(1 + 3) = 2 -> (-1/2, 1/2).
    x = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1)
    normalised = normalise_channels(x, eps=3.0).flatten()
    torch.testing.assert_close(normalised, torch.tensor([-0.5, 0.5]))


def _constant_maps(layer: SpatialModulation, gamma: list[float], beta: list[float]) -> None:
    for head, values in ((layer.gamma, gamma), (layer.beta, beta)):
        torch.nn.init.zeros_(head.weight)
        head.bias.data.copy_(torch.tensor(values))


def test_full_modulation_by_hand():
    # Normalised channels (-1, 1); gamma (2, 3), beta (10, 20) -> (-2 + 10, 3 + 20).
    layer = SpatialModulation(2, 4, hidden=8, modulation="full", eps=1e-12)
    _constant_maps(layer, [2.0, 3.0], [10.0, 20.0])
    x = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    out = layer(x, torch.randn(1, 4, 3, 3))
    torch.testing.assert_close(out[0, :, 1, 1], torch.tensor([8.0, 23.0]))


def test_positional_modulation_has_one_map_for_all_channels():
    layer = SpatialModulation(2, 4, hidden=8, modulation="positional", eps=1e-12)
    _constant_maps(layer, [2.0], [10.0])
    x = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    out = layer(x, torch.randn(1, 4, 3, 3))
    torch.testing.assert_close(out[0, :, 1, 1], torch.tensor([8.0, 12.0]))
    assert layer.gamma.out_channels == layer.beta.out_channels == 1


def test_code_is_resized_bilinearly():
    # beta copies the shared features, which copy the code's only channel (positive, so the leaky
    # rectifier keeps it): two positions 0 and 4 become 0, 1, 3, 4 at twice the size.
    layer = SpatialModulation(1, 1, hidden=1)
    for conv in (layer.shared, layer.beta):
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
        conv.weight.data[0, 0, 1, 1] = 1.0
    code = torch.tensor([[[[0.0, 4.0]]]])
    out = layer(torch.ones(1, 1, 2, 4), code)
    torch.testing.assert_close(out[0, 0, 0], torch.tensor([0.0, 1.0, 3.0, 4.0]))


@pytest.mark.parametrize("modulation", ["full", "positional"])
def test_gradient_reaches_features_and_code(modulation):
    layer = SpatialModulation(3, 4, hidden=8, modulation=modulation)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    code = torch.randn(2, 4, 4, 4, requires_grad=True)
    layer(x, code).square().sum().backward()
    assert x.grad is not None
    assert code.grad is not None
    assert x.grad.abs().sum() > 0
    assert code.grad.abs().sum() > 0
