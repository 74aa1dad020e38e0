"""The range of the numbers in weights and planes, beyond which no network computes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from triptych.errors import UserError

LARGEST_VALUE = 1e8
"""Products of a plane and the two layers of its decoder stay below the largest float32."""


def check_values(tensors: Mapping[str, Tensor], source: str) -> None:
    """Check that tensors hold real, finite numbers of ordinary size.

    Args:
        tensors: By name; those of whole numbers may hold any.
        source: File they come from, for the error message.

    Raises:
        UserError: One does not.
    """
    for name, tensor in tensors.items():
        if tensor.is_complex():
            raise UserError(f"{source}: {name} holds complex numbers; expected real ones")
        if not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        low, high = tensor.aminmax()
        if not (low >= -LARGEST_VALUE and high <= LARGEST_VALUE):  # NaN is neither
            raise UserError(
                f"{source}: {name} does not hold finite numbers of ordinary size (at most "
                f"{LARGEST_VALUE:g}); it is damaged, or was never whole"
            )
