"""The one question every 3-D representation answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

BeyondBox = Literal["decoded", "empty"]
"""What a field says outside its cube: what its decoder makes of it, or that nothing is there."""

GeometryKind = Literal["density", "sdf"]
"""What a field's geometry is: raw density, or signed distance, which is negative inside."""

NO_DENSITY = -1000.0
"""Raw density of a place where there surely is nothing: no interval that ends there is seen."""


@dataclass(frozen=True, eq=False)
class FieldSample:
    """What a field says at points.

    Attributes:
        geometry: Raw density or signed distance [b, n, 1]; the marching rule turns it into weights.
        features: Features [b, n, c]; for colours, nominally in [0, 1].
        regions: Share of each region [b, n, k], composited like features; None without regions.
    """

    geometry: Tensor
    features: Tensor
    regions: Tensor | None = None


class Field(Protocol):
    """Something that can be asked at points of a cube around the world origin."""

    @property
    def geometry_kind(self) -> GeometryKind:
        """What the geometry of its samples is."""

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the field's content."""

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        """Answer at world points [b, n, 3]; a field of batch 1 answers for any b.

        Args:
            points: Where.
            directions: Unit directions in which the points are looked at [b, n, 3], for fields
                whose answer depends on them; None where nobody looks.
        """

    def geometry(self, points: Tensor) -> Tensor:
        """Return the geometry [b, n, 1] alone; cheaper than `query`."""


def inwards(geometry: Tensor, kind: GeometryKind) -> Tensor:
    """Return geometry that grows towards the inside: densities as they are, distances negated."""
    return geometry if kind == "density" else -geometry
