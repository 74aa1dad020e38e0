"""Signed distances on a lattice: exact near the surface, interpolated farther away.

A distance grows no faster than the way to the surface. So a coarse lattice says where a surface
cannot be, and only the rest is asked. How fast it grows is read off the lattice, place by place:
learned distances are steeper than true ones.
"""

from __future__ import annotations

import math
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
    """

    values: Tensor
    box_size: float

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        box_size: float,
        resolution: int,
        device: torch.device | str = "cpu",
        *,
        tolerance: float = math.inf,
    ) -> DistanceLattice:
        """Ask a field for its distances, from coarse to fine.

        Away from the surface they are interpolated where they bend little.

        Args:
            geometry: Answers at points.
            box_size: Side of the cube.
            resolution: Samples along each side, faces included.
            device: Where the field is.
            tolerance: What is interpolated may be off by about this share of all distances' range.
        """
        if resolution <= _COARSEST:
            return cls(geometry_grid(geometry, box_size, resolution, device), box_size)
        half = max(_COARSEST, resolution // 2 + 1)
        coarse = cls.of(geometry, box_size, half, device, tolerance=tolerance)
        points = lattice_points(box_size, resolution, device)
        values = coarse.at(points)
        is_unsure = values.abs() < coarse.reach.at(points)
        if tolerance < math.inf:
            most = tolerance * (coarse.values.max() - coarse.values.min())
            is_unsure |= coarse.bend.at(points) > most
        unsure = is_unsure.nonzero()[:, 0]
        if len(unsure):
            values[unsure] = geometry_at(geometry, points[unsure])
        return cls(values.reshape([resolution] * 3), box_size)

    @property
    def reach(self) -> DistanceLattice:
        """How much the distance can differ within half a cell's diagonal, at every point.

        The largest step between neighbours nearby says how steep it is; a true distance is as
        steep as 1.
        """
        spacing = self.box_size / (self.values.shape[0] - 1)
        steps = torch.stack([_steps(self.values, dim) for dim in range(3)]).amax(dim=0)
        nearby = F.max_pool3d(steps[None, None], 3, stride=1, padding=1)[0, 0]
        reach = _CAUTION * nearby.clamp_min(spacing) * 3**0.5 / 2
        return DistanceLattice(reach, self.box_size)

    @property
    def bend(self) -> DistanceLattice:
        """How far off distances interpolated between the points may be: an eighth of the second
        differences along all axes, the largest nearby.
        """
        bends = torch.stack([_second_differences(self.values, dim) for dim in range(3)]).sum(dim=0)
        nearby = F.max_pool3d(bends[None, None], 3, stride=1, padding=1)[0, 0]
        return DistanceLattice(nearby / 8, self.box_size)

    def at(self, points: Tensor) -> Tensor:
        """Return interpolated distances [n] at points [n, 3]; beyond the cube its faces'."""
        places = (points * (2 / self.box_size)).flip(-1).reshape(1, 1, 1, -1, 3)
        return F.grid_sample(
            self.values[None, None], places, padding_mode="border", align_corners=True
        ).flatten()


def _steps(values: Tensor, dim: int) -> Tensor:
    """Return the larger change from each point to its two neighbours along an axis."""
    change = values.diff(dim=dim).abs()
    first, last = change.narrow(dim, 0, 1), change.narrow(dim, -1, 1)
    return torch.maximum(torch.cat([first, change], dim), torch.cat([change, last], dim))


def _second_differences(values: Tensor, dim: int) -> Tensor:
    """Return the absolute second difference at each point along an axis; faces have their
    neighbours'.
    """
    inner = values.diff(n=2, dim=dim).abs()
    first, last = inner.narrow(dim, 0, 1), inner.narrow(dim, -1, 1)
    return torch.cat([first, inner, last], dim)


def lattice_points(box_size: float, resolution: int, device: torch.device | str) -> Tensor:
    """Return the points [n * n * n, 3] of a lattice, x slowest."""
    line = torch.linspace(-box_size / 2, box_size / 2, resolution).to(device)
    return torch.cartesian_prod(line, line, line)
