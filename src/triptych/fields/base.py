"""The one question every 3-D representation answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

BeyondBox = Literal["decoded", "empty"]
"""What a field says outside its cube: what its decoder makes of it, or that nothing is there."""

NO_DENSITY = -1000.0
"""Raw density of a place where there surely is nothing: no interval that ends there is seen."""


@dataclass(frozen=True, eq=False)
class FieldSample:
    """What a field says at points.

    Attributes:
        density: Raw density [b, n, 1]; the marcher owns the activation.
        features: Features [b, n, c]; for colours, nominally in [0, 1].
    """

    density: Tensor
    features: Tensor


class Field(Protocol):
    """Something that can be asked at points of a cube around the world origin."""

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the field's content."""

    def query(self, points: Tensor) -> FieldSample:
        """Answer at world points [b, n, 3]; a field of batch 1 answers for any b."""
