"""The protocol of every 3-D representation: geometry, features and regions at points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

BeyondBox = Literal["decoded", "empty"]
"""What a field is outside its cube: whatever its decoder returns there, or empty."""

GeometryKind = Literal["density", "sdf"]
"""What a field's geometry is: raw density, or signed distance, which is negative inside."""

NO_DENSITY = -1000.0
"""Raw density of empty space: so low that an interval with one end there has no weight."""


@dataclass(frozen=True, eq=False)
class FieldSample:
    """The values of a field at points.

    Attributes:
        geometry: Raw density or signed distance [b, n, 1]; the marching rule turns it into weights.
        features: Features [b, n, c]; for colours, nominally in [0, 1].
        regions: Share of each region [b, n, k], composited like features; None without regions.
    """

    geometry: Tensor
    features: Tensor
    regions: Tensor | None = None


class Field(Protocol):
    """A 3-D representation that can be queried at points of a cube around the world origin."""

    @property
    def geometry_kind(self) -> GeometryKind:
        """What the geometry of its samples is."""

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the field's content."""

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        """Return geometry, features and regions at world points [b, n, 3]; batch 1 serves any b.

        Args:
            points: Where.
            directions: Unit viewing directions [b, n, 3], away from the camera, for view-dependent
                fields; None where there is no camera.
        """

    def geometry(self, points: Tensor) -> Tensor:
        """Return the geometry [b, n, 1] alone; cheaper than `query`."""


def inwards(geometry: Tensor, kind: GeometryKind) -> Tensor:
    """Return geometry that grows towards the inside: densities as they are, distances negated."""
    return geometry if kind == "density" else -geometry
