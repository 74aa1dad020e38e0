"""The compiled sine of a sum, against torch's in double precision."""

from __future__ import annotations

import torch

from triptych.ops.sine import sine_of_sum


def _case():
    rng = torch.Generator().manual_seed(0)
    values, bias = torch.randn(3, 400, 7, generator=rng) * 40, torch.randn(3, 7, generator=rng) * 9
    values[0, :4, 0] = torch.tensor([0.0, -1e-3, 1e3, -250.0])
    return values, bias, torch.randn(3, 400, 7, generator=rng)


def test_values_are_those_of_the_sine():
    values, bias, _ = _case()
    angles = (values + bias[:, None]).double()
    made = sine_of_sum(values.clone(), bias)
    assert float((made - angles.sin()).abs().max()) < 2e-7 * float(angles.abs().max())
    small = angles.abs() < 20
    assert float((made - angles.sin())[small].abs().max()) < 4e-6


def test_without_gradients_values_are_overwritten():
    values, bias, _ = _case()
    assert sine_of_sum(values, bias).data_ptr() == values.data_ptr()


def test_gradients_are_those_of_the_sine():
    values, bias, weights = _case()
    leaves = [values.requires_grad_(True), bias.requires_grad_(True)]
    found = torch.autograd.grad((sine_of_sum(*leaves) * weights).sum(), leaves)
    angles = (values + bias[:, None]).double()
    expected = torch.autograd.grad((angles.sin() * weights).sum(), leaves)
    assert torch.allclose(found[0], expected[0], atol=1e-3)
    assert torch.allclose(found[1], expected[1], atol=5e-3)


def test_other_dtypes_take_the_sine_of_torch():
    values, bias, _ = _case()
    assert torch.equal(
        sine_of_sum(values.double(), bias.double()),
        (values.double() + bias.double()[:, None]).sin(),
    )
