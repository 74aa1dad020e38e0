"""The fast forms of synthesis networks against the networks themselves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.nn import styled_convolution
from triptych.nn.styled_convolution import StyledConvolution
from triptych.nn.styled_synthesis import (
    StyledSuperResolution,
    has_styled_form,
    synthesize_fast,
)
from triptych.nn.superresolution import SuperResolution, SuperResolutionConfig
from triptych.nn.synthesis_layers import LayerOptions, SynthesisLayer
from triptych.nn.synthesis_network import SynthesisNetwork

FILTERS = ((1.0, 3.0, 3.0, 1.0), (1.0, 1.0))


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unlike(module: nn.Module) -> nn.Module:
    """Give a fresh module biases and noise, which are zero at first."""
    draws = rng(5)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter += 0.3 * torch.randn(parameter.shape, generator=draws)
    return module.eval().requires_grad_(False)


def layer(up: bool, size: int = 12, **options) -> SynthesisLayer:
    given = LayerOptions(**options)
    return unlike(SynthesisLayer(5, 7, 8, size, up=up, options=given, rng=rng(1)))


def network(architecture: str, **options) -> SynthesisNetwork:
    return unlike(
        SynthesisNetwork(
            8,
            32,
            6,
            channel_base=128,
            channel_max=8,
            architecture=architecture,
            options=LayerOptions(**options),
            rng=rng(2),
        )
    )


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("taps", FILTERS)
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_a_layer(up, taps, noisy, clamp, monkeypatch):
    """Strips of two rows meet every edge between strips."""
    exact = layer(up, resample_filter=taps, use_noise=noisy, conv_clamp=clamp)
    monkeypatch.setattr(styled_convolution, "_VALUES_PER_STRIP", 1)
    x = torch.randn(1, 5, 6 if up else 12, 6 if up else 12, generator=rng(3))
    w = torch.randn(1, 8, generator=rng(4))
    noise = exact.noise(1, "const", None)
    fast = StyledConvolution.of(exact, w, noise, torch.float32)
    rows = x[0].permute(1, 2, 0).contiguous()
    expected = exact(x, w)[0].permute(1, 2, 0)
    torch.testing.assert_close(fast(rows), expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(
        torch.cat([strip.clone() for strip in fast.strips(rows)]), expected, rtol=0, atol=2e-6
    )
    if clamp:
        assert expected.abs().max() == clamp


@pytest.mark.parametrize("architecture", ["skip", "orig"])
@pytest.mark.parametrize("taps", FILTERS)
def test_a_network(architecture, taps):
    exact = network(architecture, resample_filter=taps, conv_clamp=4.0)
    ws = torch.randn(1, exact.num_ws, 8, generator=rng(6))
    expected = exact(ws)
    scale = expected.abs().max()
    in_float32 = synthesize_fast(exact, ws, torch.float32)
    assert (in_float32 - expected).abs().max() < 2e-6 * scale
    in_bfloat16 = synthesize_fast(exact, ws, torch.bfloat16)
    assert in_bfloat16.dtype == torch.float32
    assert 1e-5 * scale < (in_bfloat16 - expected).abs().max() < 0.05 * scale


def test_random_noise_is_drawn_in_the_same_order():
    exact = network("skip")
    ws = torch.randn(1, exact.num_ws, 8, generator=rng(7))
    fast = synthesize_fast(exact, ws, torch.float32, noise_mode="random", generator=rng(8))
    expected = exact(ws, noise_mode="random", generator=rng(8))
    torch.testing.assert_close(fast, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(fast, exact(ws), atol=1e-2)


@pytest.mark.parametrize(("kind", "size"), [("8XDC", 128), ("8X", 100), ("4X", 128), ("2X", 80)])
def test_super_resolution(kind, size):
    config = SuperResolutionConfig(kind=kind, widths=(6, 4))
    exact = unlike(SuperResolution(5, 8, config, rng=rng(9)))
    features = torch.randn(2, 5, size, size, generator=rng(10))
    kept = features.clone()
    ws = torch.randn(1, 3, 8, generator=rng(11))
    fast = StyledSuperResolution.of(exact, ws, torch.float32)(features)
    torch.testing.assert_close(fast, exact(features, ws.expand(2, -1, -1)), rtol=0, atol=2e-5)
    assert torch.equal(features, kept)


def test_filters_that_have_no_fast_form():
    assert has_styled_form(network("skip"))
    assert not has_styled_form(network("skip", resample_filter=(1.0, 5.0, 10.0, 10.0, 5.0, 1.0)))
