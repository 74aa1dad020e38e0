"""The sine of a sum, compiled where that is faster, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from triptych.ops.parallel import in_parallel
from triptych.ops.placement import in_cpu_memory


def sine_of_sum(values: Tensor, bias: Tensor) -> Tensor:
    """Return sin(values + bias); in the CPU's memory differentiable once.

    Without gradients, float32 values in the CPU's memory are overwritten.

    Args:
        values: [g, n, o], contiguous.
        bias: [g, o].
    """
    compiled = in_cpu_memory(values.detach()) and values.dtype == torch.float32
    if not compiled:
        return torch.sin(values + bias[:, None])
    if torch.is_grad_enabled() and (values.requires_grad or bias.requires_grad):
        return _Sine.apply(values, bias)
    return _overwritten(values, bias)


def _overwritten(values: Tensor, bias: Tensor) -> Tensor:
    from triptych.ops.sine_kernels import sines

    arrays = values.detach().numpy(), bias.detach().contiguous().numpy()
    in_parallel(lambda start, stop: sines(start, stop, *arrays), len(values), 1)
    return values


class _Sine(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, bias: Tensor) -> Tensor:
        context.save_for_backward(values, bias)
        return _overwritten(values.clone(), bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        from triptych.ops.sine_kernels import sine_gradients

        values, bias = context.saved_tensors
        out, out_bias = torch.empty_like(values), torch.zeros_like(bias)
        given = (values, bias.contiguous(), gradient.contiguous(), out, out_bias)
        arrays = [tensor.detach().numpy() for tensor in given]
        in_parallel(lambda start, stop: sine_gradients(start, stop, *arrays), len(values), 1)
        return out, out_bias
