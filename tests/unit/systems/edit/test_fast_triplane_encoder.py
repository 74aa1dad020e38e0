"""The fast encoder: the same planes up to rounding, in both kinds of arithmetic."""

from __future__ import annotations

import pytest
import torch
from toy_edit import TINY, TINY_NORMAL, pictures, tiny_network

from triptych.systems.edit.fast_encoder import fast_encoder
from triptych.systems.edit.preprocessing import reference_input


def planes_of(encoder, config, photo):
    tokens = None
    if config.prompt is not None:
        tokens = encoder.reference_tokens(reference_input(pictures(seed=1), config.prompt))
    return encoder.planes(encoder.photo_features(photo), tokens)


@pytest.mark.parametrize("config", [TINY, TINY_NORMAL])
def test_float32_is_the_same_up_to_rounding(config):
    encoder = tiny_network(config).encoder
    exact = planes_of(encoder, config, pictures())
    fast = planes_of(fast_encoder(encoder, "fast-float32"), config, pictures())
    assert fast.dtype == torch.float32
    assert fast.is_contiguous()
    assert torch.allclose(fast, exact, atol=1e-5 * float(exact.abs().max()))
    assert fast_encoder(encoder, "exact") is encoder


@pytest.mark.parametrize("config", [TINY, TINY_NORMAL])
def test_bfloat16_is_close_and_leaves_the_encoder_alone(config):
    encoder = tiny_network(config).encoder
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    exact = planes_of(encoder, config, pictures())
    fast = planes_of(fast_encoder(encoder, dtype=torch.bfloat16), config, pictures())
    error = (fast - exact).square().mean().sqrt() / exact.std()
    assert 1e-6 < error < 0.05
    assert fast.dtype == torch.float32
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_what_sees_coordinates_keeps_all_digits():
    encoder = tiny_network().encoder
    fast = fast_encoder(encoder, dtype=torch.bfloat16)
    for name, tensor in fast.state_dict().items():
        if name.startswith(("encoder.conv1.", "EHigh_encoder.net.0.")):
            assert torch.equal(tensor, encoder.state_dict()[name])
        else:
            assert tensor.dtype == torch.bfloat16
