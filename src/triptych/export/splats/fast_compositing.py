"""Pictures of flat splats by a compiled rasteriser, with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from triptych.export.splats.compositing import LEAST_ALPHA, LEAST_LIGHT, MOST_ALPHA
from triptych.export.splats.projection import FlatSplats, conics
from triptych.ops.parallel import in_parallel

_TILES_AT_ONCE = 32
_LIMITS = np.float32(MOST_ALPHA), np.float32(LEAST_LIGHT)


def composite_fast(flat: FlatSplats, size: int) -> Tensor:
    """Return what `compositing.composite` gives, to within rounding, in float32 on the CPU."""
    lists = _tile_lists(flat, size)
    return _Composited.apply(flat.means, conics(flat.variances), flat.opacities, flat.values, lists)


@dataclass(frozen=True, eq=False)
class _TileLists:
    """Which splats meet which tile; see `splat_kernels`."""

    size: int
    tiles: int
    starts: np.ndarray
    gathered: np.ndarray


def _tile_lists(flat: FlatSplats, size: int) -> _TileLists:
    """List the splats of each tile by the boxes of the ellipses within which they count."""
    from triptych.export.splats.splat_kernels import TILE, count_in_tiles, gather_in_tiles

    with torch.no_grad():
        reach = (2 * (flat.opacities / LEAST_ALPHA).clamp_min(1).log()).sqrt()[:, None]
        reach = reach * flat.variances[:, [0, 2]].sqrt()
        tiles = -(-size // TILE)
        corners = torch.cat([flat.means - reach - 0.5, flat.means + reach - 0.5], 1) / TILE
        seen = (flat.opacities >= LEAST_ALPHA) & (corners[:, 2:] >= 0).all(1)
        seen &= (corners[:, :2] < tiles).all(1)
        boxes = corners.floor().clamp(0, tiles - 1).to(torch.int32)
        boxes[~seen] = torch.tensor([0, 0, -1, -1], dtype=torch.int32)
    counts = np.zeros(tiles * tiles, np.int64)
    count_in_tiles(boxes.numpy(), tiles, counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    gathered = np.empty(starts[-1], np.int32)
    gather_in_tiles(boxes.numpy(), tiles, starts[:-1].copy(), gathered)
    return _TileLists(size, tiles, starts, gathered)


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        means: Tensor,
        inverse: Tensor,
        opacities: Tensor,
        values: Tensor,
        lists: _TileLists,
    ) -> Tensor:
        from triptych.export.splats.splat_kernels import composite_tiles

        least = -(opacities / LEAST_ALPHA).clamp_min(1e-20).log()
        columns = [means, inverse, opacities[:, None], least[:, None]]
        splats = torch.cat(columns, 1).float().contiguous()
        values = values.float().contiguous()
        picture = torch.zeros(values.shape[1], lists.size, lists.size)
        arrays = lists.tiles, lists.starts, lists.gathered, splats.numpy(), values.numpy(), *_LIMITS

        def work(first: int, last: int) -> None:
            composite_tiles(first, last, *arrays, picture.numpy())

        in_parallel(work, lists.tiles**2, _TILES_AT_ONCE)
        context.save_for_backward(splats, values, picture)
        context.lists = lists
        return picture

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from triptych.export.splats.splat_kernels import spread_gradients

        splats, values, picture = context.saved_tensors
        lists: _TileLists = context.lists
        found = torch.zeros(len(lists.gathered), 6 + values.shape[1])
        arrays = lists.tiles, lists.starts, lists.gathered, splats.numpy(), values.numpy(), *_LIMITS
        wanted = gradient.float().contiguous().numpy()

        def work(first: int, last: int) -> None:
            spread_gradients(first, last, *arrays, picture.numpy(), wanted, found.numpy())

        in_parallel(work, lists.tiles**2, _TILES_AT_ONCE)
        # each entry has its own row: threads never meet, and the order of the sum is fixed
        total = torch.zeros(len(splats), found.shape[1])
        total.index_add_(0, torch.from_numpy(lists.gathered), found)
        return total[:, :2], total[:, 2:5], total[:, 5], total[:, 6:], None
