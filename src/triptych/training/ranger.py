"""Ranger: rectified Adam with lookahead and gradient centralisation; 3DpSp's optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError

# With fewer effective samples the second moment is too uncertain to divide by.
_MIN_SAMPLES = 5


class Ranger(torch.optim.Optimizer):
    """Rectified Adam whose slow weights follow the fast ones every few steps.

    Parity: while the second moment is uncertain, steps are momentum steps without normalisation;
    the epsilon is added to the root of the raw second moment, whose bias correction is in the step
    size; the slow weights start as the weights before the first step.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        betas: Decays of the first and the second moment.
        eps: Added to the root of the second moment.
        weight_decay: Decoupled weight decay.
        lookahead_every: Steps between two updates of the slow weights, which the weights then take.
        lookahead_share: How far an update moves the slow weights towards the fast ones.
        centralise: Subtract the mean of the gradient of each output, for weights of two or more
            dimensions.

    Reference:
        RAdam: Liu et al. (2020), algorithm 2. Lookahead: Zhang et al. (2019). Gradient
        centralisation: Yong et al. (2020).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        *,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        weight_decay: float = 0.0,
        lookahead_every: int = 6,
        lookahead_share: float = 0.5,
        centralise: bool = True,
    ) -> None:
        if lookahead_every < 1 or not 0 <= lookahead_share <= 1:
            raise UserError(
                f"lookahead: got {lookahead_share} every {lookahead_every} steps; expected a share "
                "from 0 to 1, at least every step"
            )
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "lookahead_every": lookahead_every,
            "lookahead_share": lookahead_share,
            "centralise": centralise,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
            state["slow"] = parameter.clone()
        state["step"] += 1
        mean, square, slow = state["mean"], state["square"], state["slow"]
        if group["centralise"] and gradient.ndim > 1:
            gradient = gradient - gradient.mean(dim=tuple(range(1, gradient.ndim)), keepdim=True)
        first, second = group["betas"]
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        if group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        scale, normalised = rectified_step(state["step"], (first, second))
        if normalised:
            root = square.sqrt().add_(group["eps"])
            parameter.addcdiv_(mean, root, value=-group["lr"] * scale)
        else:
            parameter.add_(mean, alpha=-group["lr"] * scale)
        if state["step"] % group["lookahead_every"] == 0:
            slow.lerp_(parameter, group["lookahead_share"])
            parameter.copy_(slow)


def rectified_step(step: int, betas: tuple[float, float]) -> tuple[float, bool]:
    """Return the factor on the rate at a step (from 1), and whether to divide by the deviation.

    Reference: Liu et al. (2020), algorithm 2: rho_t and r_t, with both bias corrections included.
    """
    first, second = betas
    decayed = second**step
    limit = 2 / (1 - second) - 1
    samples = limit - 2 * step * decayed / (1 - decayed)
    unbiased = 1 / (1 - first**step)
    if samples <= _MIN_SAMPLES:
        return unbiased, False
    rectification = math.sqrt(
        (samples - 4) * (samples - 2) * limit / ((limit - 4) * (limit - 2) * samples)
    )
    return rectification * math.sqrt(1 - decayed) * unbiased, True
