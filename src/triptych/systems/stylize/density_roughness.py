"""FF3D's density regularisation: how much the raw density changes over small moves (Eq. 6)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from triptych.fields.base import Field

Perturbation = Literal["relative", "additive"]


def density_roughness(
    field: Field, points: Tensor, delta: Tensor, perturbation: Perturbation = "relative"
) -> Tensor:
    """Return how much the raw density changes when points move a little.

    Args:
        field: Field to query.
        points: World points [b, n, 3].
        delta: Small draws [b, n, 3].
        perturbation: "relative": x moves by delta * x (the paper); "additive": by delta (EG3D).

    Returns:
        Mean absolute change, a scalar.

    Reference:
        FF3D, Eq. 6: L_dr = | sigma(x) - sigma(x + delta * x) |_1.
    """
    moved = points + (delta * points if perturbation == "relative" else delta)
    # One query for both sets: the planes are then read once.
    both = field.query(torch.cat([points, moved], 1)).geometry.float()
    here, there = both.chunk(2, dim=1)
    return (here - there).abs().mean()


def points_in_box(count: int, box_size: float, generator: torch.Generator) -> Tensor:
    """Draw points [1, count, 3] evenly from the cube of a field."""
    return (torch.rand(1, count, 3, generator=generator) - 0.5) * box_size
