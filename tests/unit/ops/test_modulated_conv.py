from __future__ import annotations

import itertools

import pytest
import torch

from triptych.errors import UserError
from triptych.ops.modulated_conv import compose_with_fir, modulated_conv2d
from triptych.ops.upfirdn2d import fir_kernel

RNG = torch.Generator().manual_seed(3)
X = torch.randn(2, 3, 5, 5, generator=RNG)
WEIGHT = torch.randn(4, 3, 3, 3, generator=RNG)
STYLES = torch.randn(2, 3, generator=RNG)
ASYMMETRIC = torch.rand(4, 4, generator=RNG)


def convolve_by_loops(x, weight, styles, demodulate):
    batch, in_channels, height, width = x.shape
    out = torch.zeros(batch, weight.shape[0], height, width)
    for b, o in itertools.product(range(batch), range(weight.shape[0])):
        kernel = weight[o] * styles[b, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum() + 1e-8).sqrt()
        for row, column in itertools.product(range(height), range(width)):
            for i, j in itertools.product(range(3), range(3)):
                y, z = row + i - 1, column + j - 1
                if 0 <= y < height and 0 <= z < width:
                    out[b, o, row, column] += (kernel[:, i, j] * x[b, :, y, z]).sum()
    return out


@pytest.mark.parametrize("modulation", ["weights", "activations"])
@pytest.mark.parametrize("demodulate", [True, False])
def test_equals_explicit_loops(modulation, demodulate):
    result = modulated_conv2d(X, WEIGHT, STYLES, demodulate=demodulate, modulation=modulation)
    expected = convolve_by_loops(X, WEIGHT, STYLES, demodulate)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_enlarging_spreads_a_pixel_by_the_kernel():
    """One lit pixel gives the stored kernel itself, smoothed by a box, times 4."""
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    weight = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    result = modulated_conv2d(
        x, weight, torch.ones(1, 1), demodulate=False, up_kernel=fir_kernel((1, 1))
    )
    spread = torch.zeros(7, 7)
    spread[2:5, 2:5] = weight[0, 0]
    expected = spread[:-1, :-1] + spread[1:, :-1] + spread[:-1, 1:] + spread[1:, 1:]
    torch.testing.assert_close(result[0, 0], expected)


@pytest.mark.parametrize("kernel", [fir_kernel((1, 1)), fir_kernel((1, 3, 3, 1)), ASYMMETRIC])
@pytest.mark.parametrize("modulation", ["weights", "activations"])
def test_composed_enlarging_equals_two_steps(kernel, modulation):
    def run(up_convolution):
        weight = WEIGHT.clone().requires_grad_()
        result = modulated_conv2d(
            X,
            weight,
            STYLES,
            up_kernel=kernel,
            modulation=modulation,
            up_convolution=up_convolution,
        )
        (gradient,) = torch.autograd.grad(result.square().sum(), weight)
        return result.detach(), gradient

    stepped, composed = run("two_step"), run("composed")
    assert stepped[0].shape == (2, 4, 10, 10)
    torch.testing.assert_close(composed[0], stepped[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(composed[1], stepped[1], atol=1e-3, rtol=1e-4)


def test_composed_kernel_is_a_full_convolution():
    composed = compose_with_fir(torch.ones(1, 1, 3, 3), torch.ones(2, 2))
    assert composed[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


def test_demodulation_gives_unit_variance():
    rng = torch.Generator().manual_seed(4)
    x = torch.randn(1, 64, 64, 64, generator=rng)
    weight = torch.randn(8, 64, 3, 3, generator=rng)
    styles = 5 * torch.rand(1, 64, generator=rng)
    result = modulated_conv2d(x, weight, styles)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(result.std(dim=(0, 2, 3)), torch.ones(8), atol=0.05, rtol=0)


@pytest.mark.parametrize("modulation", ["weights", "activations"])
def test_autocast_computes_in_bfloat16_from_float32_styles(modulation):
    with torch.autocast("cpu", torch.bfloat16):
        result = modulated_conv2d(
            X.bfloat16(), WEIGHT, STYLES, up_kernel=fir_kernel((1, 1)), modulation=modulation
        )
    exact = modulated_conv2d(X, WEIGHT, STYLES, up_kernel=fir_kernel((1, 1)))
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), exact, atol=0.06, rtol=0.03)


def test_odd_filters_are_refused():
    with pytest.raises(UserError, match="even"):
        modulated_conv2d(X, WEIGHT, STYLES, up_kernel=fir_kernel((1, 2, 1)))
