"""Adam for planes: damped where gradients are small, with a running mean of what it makes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_FIRST_MEAN = 10  # steps after which the running mean forgets as slowly as is set


class DampedAdam:
    """Adam whose epsilon is a share of each tensor's root mean square of gradients.

    Adam goes a whole step wherever there is any gradient: places that few points see, or on whose
    value those points disagree, would be noise. It is torch's formula, called without
    `torch.optim.Optimizer`, which would import a compiler for seconds.

    Args:
        tensors: What learns; those without a gradient are left out of a step.
        rates: Rate of each.
        damping: The share; 0 leaves the usual epsilon.
        keep: Decay of the running mean.

    Reference: Kingma and Ba, Adam (2015), algorithm 1.
    """

    def __init__(
        self, tensors: Sequence[Tensor], rates: Sequence[float], *, damping: float, keep: float
    ) -> None:
        self._tensors, self._rates = list(tensors), list(rates)
        self._damping, self._keep = damping, keep
        self._first = [torch.zeros_like(tensor) for tensor in tensors]
        self._second = [torch.zeros_like(tensor) for tensor in tensors]
        self._counts = [torch.zeros((), device=tensor.device) for tensor in tensors]
        self.begin()

    def begin(self) -> None:
        """Begin a phase: the running mean starts anew."""
        self._mean: list[Tensor] = []
        self._steps = 0

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Go one step down the gradients, which are consumed.

        Args:
            factor: Multiplies all rates.
        """
        for index, (tensor, rate) in enumerate(zip(self._tensors, self._rates, strict=True)):
            if tensor.grad is None:
                continue
            adam(
                [tensor],
                [tensor.grad],
                [self._first[index]],
                [self._second[index]],
                [],
                [self._counts[index]],
                fused=True,
                amsgrad=False,
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                lr=factor * rate,
                weight_decay=0.0,
                eps=self._epsilon(index),
                maximize=False,
            )
            tensor.grad = None
        self._average()

    @torch.no_grad()
    def end(self) -> None:
        """End a phase: the tensors become their running mean."""
        for mean, tensor in zip(self._mean, self._tensors, strict=True):
            tensor.copy_(mean)

    def _epsilon(self, index: int) -> float:
        count = float(self._counts[index])
        if not count or not self._damping:
            return _EPSILON
        mean_square = float(self._second[index].mean()) / (1 - _BETAS[1] ** count)
        return self._damping * math.sqrt(mean_square) + _EPSILON

    def _average(self) -> None:
        if not self._mean:
            self._mean = [tensor.detach().clone() for tensor in self._tensors]
        self._steps += 1
        keep = min(self._keep, self._steps / (_FIRST_MEAN - 1 + self._steps))
        for mean, tensor in zip(self._mean, self._tensors, strict=True):
            mean.lerp_(tensor, 1 - keep)
