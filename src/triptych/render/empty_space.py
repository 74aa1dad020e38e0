"""A loss on density far from a head as it was, visible or not: empty space stays empty."""

from __future__ import annotations

import numpy as np
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

_LOOSE_CELLS = 96  # along each side of the cube, in which loose parts are looked for
_POINTS_PER_QUERY = 2**16


class EmptySpace:
    """Space farther from a head than its fitting may reach, in its cube and beyond.

    A reconstruction loss cannot see specks between or outside the views that it fits, and FF3D's
    density regularisation (Eq. 6), being a slope of raw densities, draws empty and full together.

    Attributes:
        places: Centres of the empty cells [n, 3]; none where the head fills its cube.
        limit: Raw density from which on space is occupied; see `render.occupancy`.
        loose: Centres of occupied cells that hang loose from the head [m, 3], as last searched for.
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
        self.loose = self.places[:0]

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

    @torch.no_grad()
    def find_loose(self, field: TriPlaneField) -> None:
        """Look for what hangs loose from the largest part of a head: half the draws are there then.

        Specks beside a head are too few for draws that are even, and few rays meet them.
        """
        from scipy import ndimage

        line = lattice_line(field.box_size, _LOOSE_CELLS, self.places.device)[1:-1]
        z, y, x = torch.meshgrid(line, line, line, indexing="ij")
        points = torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
        asked = [field.geometry(some) for some in points.split(_POINTS_PER_QUERY, dim=1)]
        occupied = (torch.cat(asked, dim=1).reshape(z.shape) > self.limit).cpu()
        parts, _ = ndimage.label(occupied.numpy())
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        loose = torch.from_numpy((parts > 0) & (parts != sizes.argmax()))
        self.loose = line[loose.nonzero().flip(-1).to(line.device)]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw points [1, count, 3]: half of them round loose cells, if any, the rest evenly."""
        found = count // 2 if len(self.loose) else 0
        drawn = [_drawn(self.places, self._cell, count - found, generator)]
        if found:
            drawn.append(_drawn(self.loose, 2 * self._cell, found, generator))
        return torch.cat(drawn)[None]

    def occupied(self, field: TriPlaneField, points: Tensor) -> Tensor:
        """Return by how much raw densities at points [1, n, 3] exceed emptiness, their mean []."""
        return (field.geometry(points) - self.limit).relu().mean()


def _drawn(places: Tensor, width: float, count: int, generator: torch.Generator) -> Tensor:
    """Return points [count, 3] in cubes of a width round places [n, 3]."""
    chosen = torch.randint(len(places), (count,), generator=generator)
    within = torch.rand(count, 3, generator=generator) - 0.5
    return places[chosen] + within.to(places) * width


def _continued(occupied: Tensor) -> Tensor:
    """Let the cells beyond the cube [z, y, x] hold what the outermost ones in it hold.

    There a tri-plane field reads one or two planes only, which may seem occupied.
    """
    inner = occupied[None, None, 1:-1, 1:-1, 1:-1].float()
    return F.pad(inner, [1] * 6, mode="replicate")[0, 0] > 0
