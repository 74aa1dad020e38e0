"""Which samples of a ray may be seen, by a lattice of distances: the others need no network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triptych.ops.parallel import in_parallel
from triptych.ops.placement import in_cpu_memory
from triptych.render.distance_lattice import DistanceLattice
from triptych.render.marching_rules import SdfRule
from triptych.render.rays import Rays

_RAYS_PER_PART = 512


def seen_samples(
    lattice: DistanceLattice,
    rule: SdfRule,
    rays: Rays,
    depths: Tensor,
    *,
    error: float,
    least: float,
    may_be_cut: bool = False,
) -> Tensor:
    """Return which samples [1, r, s] may weigh more than `least`.

    Args:
        lattice: Distances of the whole solid.
        rule: Turns distances into weights.
        rays: Rays [1, r, 3].
        depths: Distances of samples along them [1, r, s], increasing.
        error: So far the lattice may be off.
        least: Weight in [0, 1].
        may_be_cut: What hides a sample may be cut away.
    """
    if not (in_cpu_memory(depths) and depths.dtype == lattice.values.dtype == torch.float32):
        about = lattice.at(rays.points(depths).reshape(-1, 3)).reshape(depths.shape)
        if may_be_cut:
            return rule.opacities(about - error, depths) > least
        return rule.most_weights(about, depths, error) > least

    from triptych.render.seen_kernels import Surface, mark_seen

    longest = float(depths.diff(dim=-1).amax())
    surface = Surface(
        lattice.values.contiguous().numpy(),
        np.float32(lattice.box_size),
        np.float32(float(rule.beta)),
        np.float32(error),
        np.float32(least),
        may_be_cut,
        np.float32(error - rule.lowest_occupied(least / longest)),
    )
    endless = torch.as_tensor(rule.endless if rule.last_sample == "endless" else 0.0)
    behind = endless.to(depths).expand_as(depths[..., :1])
    seen = torch.zeros(depths.shape, dtype=torch.bool)
    parts = (rays.origins, rays.directions, depths, behind, seen)
    arrays = [part.flatten(0, 1).contiguous().numpy() for part in parts]

    def work(start: int, stop: int) -> None:
        mark_seen(start, stop, surface, *arrays)

    in_parallel(work, len(arrays[0]), _RAYS_PER_PART)
    return seen
