"""Precision: what is raised to float32 and what is left alone."""

from __future__ import annotations

import pytest
import torch

from triptych.ops.precision import at_least_float32


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.int64, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_only_narrow_numbers_become_float32(given, expected):
    x = torch.arange(3).to(given)
    raised = at_least_float32(x)
    assert raised.dtype == expected
    assert raised.tolist() == [0, 1, 2]
    assert (raised is x) == (given == expected)
