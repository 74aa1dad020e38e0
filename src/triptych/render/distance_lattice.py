"""Signed distances on a lattice: exact near the surface, interpolated farther away.

A distance grows no faster than the way to the surface. So a coarse lattice says where a surface
cannot be, and only the rest is asked: a tenth of all points or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.render.field_geometry import Geometry, geometry_at, geometry_grid

_COARSEST = 33
_CAUTION = 1.25


@dataclass(frozen=True, eq=False)
class DistanceLattice:
    """Signed distances over a cube around the origin.

    Attributes:
        values: [n, n, n], indexed x, y, z, from face to face.
        box_size: Side of the cube.
        steepness: The largest change of distance per way that was found, 1 or more.
    """

    values: Tensor
    box_size: float
    steepness: float

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        box_size: float,
        resolution: int,
        device: torch.device | str = "cpu",
    ) -> DistanceLattice:
        """Ask a field for its distances, from coarse to fine.

        Args:
            geometry: Answers at points.
            box_size: Side of the cube.
            resolution: Samples along each side, faces included.
            device: Where the field is.
        """
        if resolution <= _COARSEST:
            values = geometry_grid(geometry, box_size, resolution, device)
            spacing = box_size / (resolution - 1)
            steepness = max(float(values.diff(dim=d).abs().max()) / spacing for d in range(3))
            return cls(values, box_size, max(1.0, steepness))
        coarse = cls.of(geometry, box_size, max(_COARSEST, resolution // 2 + 1), device)
        points = lattice_points(box_size, resolution, device)
        values = coarse.at(points)
        unsure = (values.abs() < coarse.reach).nonzero()[:, 0]
        if len(unsure):
            values[unsure] = geometry_at(geometry, points[unsure])
        return cls(values.reshape([resolution] * 3), box_size, coarse.steepness)

    @property
    def reach(self) -> float:
        """How much the distance can differ within half a cell's diagonal."""
        spacing = self.box_size / (self.values.shape[0] - 1)
        return _CAUTION * self.steepness * spacing * 3**0.5 / 2

    def at(self, points: Tensor) -> Tensor:
        """Return interpolated distances [n] at points [n, 3]; beyond the cube its faces'."""
        places = (points * (2 / self.box_size)).flip(-1).reshape(1, 1, 1, -1, 3)
        return F.grid_sample(
            self.values[None, None], places, padding_mode="border", align_corners=True
        ).flatten()


def lattice_points(box_size: float, resolution: int, device: torch.device | str) -> Tensor:
    """Return the points [n * n * n, 3] of a lattice, x slowest."""
    line = torch.linspace(-box_size / 2, box_size / 2, resolution).to(device)
    return torch.cartesian_prod(line, line, line)
