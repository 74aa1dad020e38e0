"""Depths along rays: spread evenly first, then drawn where the first pass found weight."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_WEIGHT_FLOOR = 0.01
_PDF_FLOOR = 1e-5


def stratified_depths(
    near: Tensor | float,
    far: Tensor | float,
    num: int,
    *,
    jitter: Tensor | None = None,
    disparity: bool = False,
) -> Tensor:
    """Spread depths from near to far, both ends included.

    Args:
        near: Depth where rays start, one number or [b, r].
        far: Depth where rays end, likewise.
        num: Depths per ray, at least 2.
        jitter: Offsets in bins [b, r, num], in [0, 1); the last depth may so pass `far` by up to
            one bin (as in EG3D). None means none.
        disparity: Spread evenly in 1 / depth.

    Returns:
        Depths [b, r, num], or [1, 1, num] from two numbers without jitter.
    """
    bins = num - 1
    if disparity:
        step = torch.linspace(0, 1, num)[None, None]
        near, far = _per_ray(near), _per_ray(far)
        step = step.to(near) if jitter is None else step.to(jitter) + jitter * (1 / bins)
        return 1 / (1 / near * (1 - step) + 1 / far * step)
    if isinstance(near, Tensor) or isinstance(far, Tensor):
        near, far = _per_ray(near), _per_ray(far)
        step = torch.arange(num, dtype=near.dtype, device=near.device) / bins
        depths = near + step * (far - near)
    else:
        depths = torch.linspace(near, far, num)[None, None]
    return depths if jitter is None else depths.to(jitter) + jitter * ((far - near) / bins)


def _per_ray(limit: Tensor | float) -> Tensor:
    return torch.as_tensor(limit)[..., None]


def importance_depths(depths: Tensor, weights: Tensor, uniform: Tensor) -> Tensor:
    """Draw depths from the smoothed compositing weights of a first pass, by inverse cdf.

    The weights are blurred by a maximum and a mean over neighbours and lifted by a floor; the
    density is piecewise constant between interval midpoints. The first and last interval only
    serve the blur, and the last midpoint bin is never drawn from (as in EG3D).

    Args:
        depths: Sorted depths of the first pass [b, r, s], s at least 4.
        weights: Compositing weight of each interval [b, r, s - 1].
        uniform: Numbers in [0, 1], [b, r, n]: positions on the cdf.

    Returns:
        Depths [b, r, n], in the order of `uniform`.

    Reference: Barron et al., Mip-NeRF (2021), section 3.1; Mildenhall et al., NeRF (2020), 5.2.
    """
    widest = F.max_pool1d(weights, kernel_size=2, stride=1, padding=1)
    blurred = F.avg_pool1d(widest, kernel_size=2, stride=1) + _WEIGHT_FLOOR
    edges = (depths[..., 1:] + depths[..., :-1]) / 2
    pdf = blurred[..., 1:-1] + _PDF_FLOOR
    pdf = pdf / pdf.sum(dim=-1, keepdim=True)
    cdf = F.pad(pdf.cumsum(dim=-1), (1, 0))  # [b, r, s - 2]
    index = torch.searchsorted(cdf.contiguous(), uniform.contiguous(), right=True)
    below = (index - 1).clamp(min=0)
    above = index.clamp(max=cdf.shape[-1] - 1)
    cdf_below, cdf_above = cdf.gather(-1, below), cdf.gather(-1, above)
    edge_below, edge_above = edges.gather(-1, below), edges.gather(-1, above)
    mass = cdf_above - cdf_below
    mass = torch.where(mass < _PDF_FLOOR, 1.0, mass)
    return edge_below + (uniform - cdf_below) / mass * (edge_above - edge_below)
