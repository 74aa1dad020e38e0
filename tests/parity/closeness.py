"""How close a tensor must be to its reference."""

from __future__ import annotations

from torch import Tensor

TENSOR = 5e-5
IMAGE = 1e-4
ABSOLUTE = 2e-4
"""What the reference numbers' own README tolerates."""


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest absolute error over the largest absolute value of the reference."""
    assert actual.shape == expected.shape, f"{list(actual.shape)} != {list(expected.shape)}"
    return float((actual - expected).abs().max() / expected.abs().max())


def assert_close(actual: Tensor, expected: Tensor, limit: float = TENSOR) -> None:
    """Fail when the relative error passes the limit, or the error itself what is tolerated."""
    error = relative_error(actual, expected)
    assert error <= limit, f"relative error {error:.2e} is beyond {limit:.0e}"
    largest = float((actual - expected).abs().max())
    assert largest <= ABSOLUTE, f"error {largest:.2e} is beyond {ABSOLUTE:.0e}"
