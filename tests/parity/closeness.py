"""How close a tensor must be to its reference."""

from __future__ import annotations

from reference_numbers import Expected, Samples
from torch import Tensor

TENSOR = 5e-5
IMAGE = 1e-4
ABSOLUTE = 2e-4
"""What the reference numbers' own README tolerates."""


def largest_error(actual: Tensor, expected: Expected) -> float:
    """Return the largest absolute error, of the samples where the reference is sampled."""
    if isinstance(expected, Samples):
        return float((expected.taken_from(actual) - expected.values).abs().max())
    assert actual.shape == expected.shape, f"{list(actual.shape)} != {list(expected.shape)}"
    return float((actual - expected).abs().max())


def assert_close(actual: Tensor, expected: Expected, limit: float = TENSOR) -> None:
    """Fail when the error passes the limit times the reference's largest value, or `ABSOLUTE`."""
    is_sampled = isinstance(expected, Samples)
    scale = expected.largest if is_sampled else float(expected.abs().max())
    error = largest_error(actual, expected)
    assert error <= limit * scale, f"relative error {error / scale:.2e} is beyond {limit:.0e}"
    assert error <= ABSOLUTE, f"error {error:.2e} is beyond {ABSOLUTE:.0e}"
