"""Batch normalisation over the batches of all processes together.

With it, several processes that share one batch compute what one process would compute alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from triptych.training.processes import several_processes, sum_over_processes


class SharedBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` whose training statistics are those of all processes; same state dict."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not several_processes():
            return super().forward(x)
        values = x.float()
        local_count = values.new_tensor([values.numel() / values.shape[1]])
        count = _Sum.apply(local_count)
        mean = _Sum.apply(values.sum(dim=(0, 2, 3))) / count
        centred = values - mean.view(1, -1, 1, 1)
        variance = _Sum.apply(centred.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach(), float(count))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shown = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return shown.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: float) -> None:
        """Let the running statistics follow, as the plain layer does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


def share_batch_statistics(module: nn.Module) -> None:
    """Turn the batch normalisations of a network into shared ones, in place."""
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SharedBatchNorm2d


class _Sum(torch.autograd.Function):
    """Sum over processes; the gradient of the sum of all losses is the sum of the gradients."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        return sum_over_processes(values)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0])
