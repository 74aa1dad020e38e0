"""Where one portrait is occupied: a lattice of its geometry, so that empty space is skipped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.fields.base import Field, GeometryKind, inwards
from triptych.render.marching_rules import check_geometry
from triptych.render.renderer import RenderConfig

EMPTY_BELOW = 0.02
"""Density per world unit, after activation, below which space counts as empty.

What skipping may lose: along a length of such space a ray's opacity is at most
1 - exp(-EMPTY_BELOW * length), 0.021 between EG3D's ray limits. Lower it to lose less.
"""
_POINTS_PER_QUERY = 2**16


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """Where one portrait is occupied, on a lattice over its cube and one cell beyond.

    A point outside the cube belongs to the outermost cell in that direction: there a tri-plane
    field no longer changes along that direction. Cells are stored flat, x fastest, then y, then z.

    Attributes:
        size: Cells along each side, the two beyond the cube included.
        box_size: Side of the cube.
        occupied: Whether something is in the cell or the next one [size ** 3], bool.
        nearby: Whether a ray with a sample in the cell may meet something [size ** 3], bool.
        geometry: Geometry of the cell [size ** 3], for samples that are not decoded.
        geometry_kind: Whether that is raw density or signed distance.
    """

    size: int
    box_size: float
    occupied: Tensor
    nearby: Tensor
    geometry: Tensor
    geometry_kind: GeometryKind = "density"

    @cached_property
    def solid(self) -> Tensor:
        """Geometry around each cell that hides least [size ** 3]: it never hides too much."""
        solid = inwards(self.geometry, self.geometry_kind).reshape([self.size] * 3)
        return inwards(-largest_around(-solid, 1).reshape(-1), self.geometry_kind)

    @property
    def occupancy(self) -> float:
        """Fraction of the cells that are occupied or touch one that is."""
        return float(self.occupied.float().mean())

    def check_box(self, box_size: float) -> None:
        """Raise UserError unless the grid is of a field whose cube has that side."""
        if self.box_size != box_size:
            raise UserError(
                f"the occupancy grid spans a cube of side {self.box_size}, the field one of "
                f"{box_size}; make the grid from this field"
            )

    def cells(self, points: Tensor) -> Tensor:
        """Return the index of the cell of each point [..., 3] as int64 [...].

        Coordinates that are not-a-number count as 0: no other number would be an index.
        """
        inner = self.size - 2
        scaled = points * (inner / self.box_size) + (inner / 2 + 1)
        scaled = scaled.nan_to_num(nan=0.0)
        x, y, z = scaled.clamp(0, self.size - 1).to(torch.int64).unbind(dim=-1)
        return (z * self.size + y) * self.size + x


def everywhere(box_size: float) -> OccupancyGrid:
    """Return the grid that leaves nothing out: a cube of that side is occupied, and all beyond."""
    marks, zeros = torch.ones(27, dtype=torch.bool), torch.zeros(27)
    return OccupancyGrid(3, box_size, occupied=marks, nearby=marks, geometry=zeros)


def lattice_line(box_size: float, size: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the lattice's coordinates along each axis [size + 2]: cell centres, one beyond."""
    centres = ((torch.arange(size, device=device) + 0.5) / size - 0.5) * box_size
    beyond = centres.new_tensor([box_size])
    return torch.cat([-beyond, centres, beyond])


@torch.no_grad()
def occupancy_grid(
    field: Field,
    config: RenderConfig,
    *,
    size: int = 64,
    empty_below: float = EMPTY_BELOW,
    device: torch.device | str = "cpu",
) -> OccupancyGrid:
    """Query a field on a lattice and mark the cells that rays must sample.

    Args:
        field: A field of batch 1.
        config: How the field is rendered; its first sampling step sets how far marks reach.
        size: Cells along each side of the cube.
        empty_below: See `marked_grid`.
        device: Where the field lives.
    """
    check_geometry(field.geometry_kind, config.rule)
    line = lattice_line(field.box_size, size, device)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
    asked = [field.query(some).geometry for some in points.split(_POINTS_PER_QUERY, dim=1)]
    return marked_grid(
        torch.cat(asked, dim=1).reshape(z.shape), field.box_size, config, empty_below=empty_below
    )


@torch.no_grad()
def marked_grid(
    geometry: Tensor, box_size: float, config: RenderConfig, *, empty_below: float = EMPTY_BELOW
) -> OccupancyGrid:
    """Mark the cells that rays must sample, given a field's geometry.

    Args:
        geometry: Raw densities or signed distances at the points of `lattice_line` along each
            axis, indexed z, y, x.
        box_size: Side of the cube.
        config: How the field is rendered; its first sampling step sets how far marks reach.
        empty_below: Activated density, per world unit, below which a cell is empty. A ray through
            the whole cube loses at most about this much alpha.
    """
    rule = config.rule
    size = geometry.shape[0] - 2
    solid = inwards(geometry, rule.geometry_kind)
    is_occupied = solid > rule.lowest_occupied(empty_below)
    # Marks reach half a sampling step, so that no first pass steps over them, and one cell more
    # for what lies between lattice points.
    reach = math.ceil(_sampling_step(config, box_size) / 2 / (box_size / size))
    occupied = largest_around(is_occupied, 1)
    nearby = largest_around(occupied, reach)
    return OccupancyGrid(
        size + 2,
        box_size,
        occupied=occupied.reshape(-1),
        nearby=nearby.reshape(-1),
        geometry=geometry.reshape(-1),
        geometry_kind=rule.geometry_kind,
    )


def largest_around(lattice: Tensor, reach: int) -> Tensor:
    """Return the largest value, or whether any is true, within `reach` cells [z, y, x]."""
    for axis in range(3):
        largest, length = lattice.clone(), lattice.shape[axis]
        for shift in range(1, min(reach, length - 1) + 1):
            for start, other in ((0, shift), (shift, 0)):
                part = largest.narrow(axis, start, length - shift)
                torch.maximum(part, lattice.narrow(axis, other, length - shift), out=part)
        lattice = largest
    return lattice


def _sampling_step(config: RenderConfig, box_size: float) -> float:
    if isinstance(config.ray_start, str) or isinstance(config.ray_end, str):
        return box_size * math.sqrt(3) / (config.num_coarse - 1)
    return (config.ray_end - config.ray_start) / (config.num_coarse - 1)
