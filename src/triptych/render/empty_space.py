"""A loss on density far from a head as it was, visible or not: empty space stays empty."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.fields.triplane import TriPlaneField
from triptych.render.occupancy import (
    EMPTY_BELOW,
    OccupancyGrid,
    largest_around,
    lattice_line,
)
from triptych.render.renderer import RenderConfig


class EmptySpace:
    """Space farther from a head than its fitting may reach, in its cube and beyond.

    A reconstruction loss cannot see specks between or outside the views that it fits, and FF3D's
    density regularisation (Eq. 6), being a slope of raw densities, draws empty and full together.

    Attributes:
        places: Centres of the empty cells [n, 3]; none where the head fills its cube.
        limit: Raw density from which on space is occupied; see `render.occupancy`.
    """

    def __init__(self, grid: OccupancyGrid, config: RenderConfig, margin: float) -> None:
        """Take stock of a head.

        Args:
            grid: Where the head is before the fitting.
            config: How that head is rendered.
            margin: How far from it a fitting may add density, in world units.
        """
        cells = grid.size - 2
        self.limit = config.rule.lowest_occupied(EMPTY_BELOW)
        self._cell = grid.box_size / cells
        occupied = _continued(grid.geometry.reshape([grid.size] * 3) > self.limit)
        empty = ~largest_around(occupied, max(1, round(margin / self._cell)))
        line = lattice_line(grid.box_size, cells, grid.geometry.device)
        self.places = line[empty.nonzero().flip(-1)]

    @classmethod
    def round_head(
        cls, grid: OccupancyGrid, config: RenderConfig, margin: float
    ) -> EmptySpace | None:
        """Return the empty space round a head; None where the head fills its cube."""
        space = cls(grid, config, margin)
        return space if len(space.places) else None

    def empty_space_loss(
        self, field: TriPlaneField, count: int, generator: torch.Generator
    ) -> Tensor:
        """Return the mean excess density [] at points drawn evenly from the empty cells."""
        return self.occupied(field, self.draw(count, generator))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw points [1, count, 3] evenly from the empty cells."""
        chosen = torch.randint(len(self.places), (count,), generator=generator)
        within = torch.rand(count, 3, generator=generator) - 0.5
        return (self.places[chosen] + within.to(self.places) * self._cell)[None]

    def occupied(self, field: TriPlaneField, points: Tensor) -> Tensor:
        """Return by how much raw densities at points [1, n, 3] exceed emptiness, their mean []."""
        return (field.geometry(points) - self.limit).relu().mean()


def _continued(occupied: Tensor) -> Tensor:
    """Let the cells beyond the cube [z, y, x] hold what the outermost ones in it hold.

    There a tri-plane field reads one or two planes only, which may seem occupied.
    """
    inner = occupied[None, None, 1:-1, 1:-1, 1:-1].float()
    return F.pad(inner, [1] * 6, mode="replicate")[0, 0] > 0
