"""The scalar functions of compiled kernels against float64 and against torch's bfloat16."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit

from triptych.ops.kernel_math import exp_of_minus, narrow, sigmoid, softplus, widen

EVERYWHERE = np.linspace(-90, 90, 4001, dtype=np.float32)


@njit
def _exps(values):
    return np.array([exp_of_minus(value) for value in values])


@njit
def _softpluses(values):
    return np.array([softplus(value) for value in values])


@njit
def _sigmoids(values):
    return np.array([sigmoid(value) for value in values])


@njit
def _narrowed(values, stored):
    for i in range(len(values)):
        stored[i] = narrow(values[i], stored[i])


@njit
def _widened(stored, values):
    for i in range(len(stored)):
        values[i] = widen(stored[i])


def test_exponentials_and_what_is_made_of_them():
    x = EVERYWHERE.astype(np.float64)
    positive = EVERYWHERE[(EVERYWHERE >= 0) & (EVERYWHERE <= 60)]
    expected = np.exp(-positive.astype(np.float64))
    # log2(e) and x * log2(e) are rounded, which the exponential turns into a relative error.
    rounding = np.finfo(np.float32).eps * (2 + positive)
    assert (np.abs(_exps(positive) - expected) <= rounding * expected).all()
    np.testing.assert_allclose(_softpluses(EVERYWHERE), np.logaddexp(0, x), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(_sigmoids(EVERYWHERE), 1 / (1 + np.exp(-x)), rtol=1e-5, atol=1e-7)


def test_beyond_the_range_nothing_is_infinite():
    far = np.array([1e4, 3e38], np.float32)
    assert (_exps(far) < 1e-26).all()
    assert _softpluses(-far).tolist() == pytest.approx([0, 0])
    assert _softpluses(far).tolist() == pytest.approx(far.tolist())
    assert _sigmoids(np.concatenate([-far, far])).tolist() == pytest.approx([0, 0, 1, 1])


def test_bfloat16_is_rounded_as_torch_rounds_it():
    values = torch.randn(4000, generator=torch.Generator().manual_seed(1)) * 100
    halfway = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 0.0, -0.0])  # ties go to even
    values = torch.cat([values, halfway, torch.tensor([torch.inf, -torch.inf])])
    stored = np.zeros(len(values), np.uint16)
    _narrowed(values.numpy(), stored)
    expected = values.bfloat16()
    assert np.array_equal(stored, expected.view(torch.uint16).numpy())
    back = np.zeros(len(values), np.float32)
    _widened(stored, back)
    assert np.array_equal(back, expected.float().numpy())


def test_float32_passes_unchanged():
    kept = np.zeros(3, np.float32)
    _narrowed(np.array([1.1, -2.2, 3e-30], np.float32), kept)
    assert np.array_equal(kept, np.array([1.1, -2.2, 3e-30], np.float32))
