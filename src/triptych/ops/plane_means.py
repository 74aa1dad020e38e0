"""The mean of three feature planes at points, compiled, with gradients for the planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from triptych.ops.parallel import in_parallel
from triptych.ops.sample_planes import AXES, PlaneAxes

_POINTS_AT_ONCE = 4096


def plane_means(planes: Tensor, points: Tensor, *, box_size: float, axes: PlaneAxes) -> Tensor:
    """Return what `sample_planes` gives, averaged over the planes, to within rounding.

    It serves the training of networks that synthesize planes on CPUs, in a third to a half of the
    time. It is differentiable once, for the planes only, and computes in float32.

    Args:
        planes: Square feature planes [b, 3, c, h, h] in the CPU's memory.
        points: World points [b, n, 3].
        box_size: See `sample_planes`.
        axes: See `sample_planes`.

    Returns:
        Features [b, n, c], float32.
    """
    return _PlaneMeans.apply(planes, points, box_size, axes)


class _PlaneMeans(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, planes: Tensor, points: Tensor, box_size: float, axes: PlaneAxes
    ) -> Tensor:
        from triptych.ops.plane_kernels import sum_of_planes

        batch, number, _ = points.shape
        channels, size = planes.shape[2:4]
        pixels = planes.detach().permute(0, 1, 3, 4, 2).float().reshape(-1, channels)
        # The order of grid_sample's own arithmetic, so that both round alike.
        scaled = points.detach().float() * (2 / box_size)
        positions = (((scaled + 1) * size - 1) / 2).reshape(-1, 3)
        sampled = pixels.new_empty(batch * number, channels)
        arrays = (
            pixels.numpy(),
            positions.numpy(),
            np.array(AXES[axes]),
            size,
            number,
            sampled.numpy(),
        )

        def work(start: int, stop: int) -> None:
            sum_of_planes(start, stop, *arrays)

        in_parallel(work, batch * number, _POINTS_AT_ONCE)
        sampled /= planes.shape[1]
        context.save_for_backward(positions)
        context.shape, context.dtype, context.axes = planes.shape, planes.dtype, axes
        return sampled.reshape(batch, number, channels)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        from triptych.ops.plane_kernels import spread_over_planes

        (positions,) = context.saved_tensors
        batch, planes, channels, size, _ = context.shape
        flat = gradient.float().reshape(-1, channels) / planes
        number = len(flat) // batch
        spread = torch.zeros(batch * planes * size * size, channels)
        axes = np.array(AXES[context.axes])
        arrays = flat.numpy(), positions.numpy(), axes, size, number, spread.numpy()

        def work(start: int, stop: int) -> None:
            spread_over_planes(start, stop, *arrays)

        in_parallel(work, batch * planes, 1)
        pictures = spread.reshape(batch, planes, size, size, channels).permute(0, 1, 4, 2, 3)
        return pictures.to(context.dtype), None, None, None
