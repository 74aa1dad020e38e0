"""Compiled kernel for densities on a regular lattice."""

from __future__ import annotations

import numpy as np
from numba import njit

from triptych.ops.kernel_cache import kernel
from triptych.ops.kernel_math import softplus


@kernel
def lattice_part(start, stop, over_xy, over_xz, over_yz, weight, bias, density):
    """Fill in density[start:stop] from hidden values that depend on two coordinates each.

    Args:
        start: First x.
        stop: End of x.
        over_xy: [x, y, k]; holds the hidden layer's bias too.
        over_xz: [x, z, k].
        over_yz: [y, z, k], or [1, 1, k] where no plane sees y and z.
        weight: Weights of the density [k].
        bias: Its bias.
        density: Raw densities [x, y, z].
    """
    flat = over_yz.shape[0] == 1
    for x in range(start, stop):
        for y in range(density.shape[1]):
            for z in range(density.shape[2]):
                yz = (0, 0) if flat else (y, z)
                density[x, y, z] = bias + _density(over_xy, over_xz, over_yz, weight, x, y, z, yz)


@njit(fastmath=True, error_model="numpy")
def _density(over_xy, over_xz, over_yz, weight, x, y, z, yz):
    first, second, third = over_xy[x, y], over_xz[x, z], over_yz[yz]
    total = np.float32(0)
    for k in range(len(weight)):
        total += softplus(first[k] + second[k] + third[k]) * weight[k]
    return total
