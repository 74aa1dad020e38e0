from __future__ import annotations

import math

import torch

from triptych.ops.bias_act import bias_act


def by_the_definition(x, bias, scale, noise, gain, clamp):
    y = x * scale[:, :, None, None] + noise + bias[None, :, None, None]
    y = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2) * gain
    return y.clamp(-clamp, clamp)


def test_order_of_scale_noise_bias_activation_gain_and_clamp():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 4, 5, generator=rng) * 3
    bias, scale = torch.randn(3, generator=rng), torch.rand(2, 3, generator=rng)
    noise = torch.randn(2, 1, 4, 5, generator=rng)
    result = bias_act(x, bias, scale=scale, noise=noise, activation="lrelu", gain=0.7, clamp=1.5)
    expected = by_the_definition(x, bias, scale, noise, gain=0.7, clamp=1.5)
    torch.testing.assert_close(result, expected)
    assert (expected.abs() == 1.5).any()
    assert (expected.abs() < 1.5).any()
    unscaled = bias_act(x, bias, noise=noise, activation="lrelu", gain=0.7, clamp=1.5)
    ones = torch.ones(2, 3)
    torch.testing.assert_close(unscaled, by_the_definition(x, bias, ones, noise, 0.7, 1.5))


def test_linear_has_no_gain_of_its_own():
    x = torch.tensor([[-2.0, 3.0]])
    assert bias_act(x).tolist() == [[-2.0, 3.0]]
    assert bias_act(x, torch.tensor([1.0, 1.0]), gain=2.0).tolist() == [[-2.0, 8.0]]


def test_dtype_is_kept():
    x = torch.randn(1, 2, 3, 3).bfloat16()
    assert bias_act(x, torch.ones(2), scale=torch.ones(1, 2)).dtype == torch.bfloat16
