"""Optimisation of style codes through the frozen generator (W and W+ projection)."""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.errors import UserError
from triptych.progress import CountProgress
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.settings import CodeSettings

_SLOPE = 0.2  # of the leaky ReLU behind the mapping network's last layer
_SMALLEST_VARIANCE = 1e-3  # of the mean variance: some directions hardly vary


class CodePrior:
    """A normal distribution of codes as they were before the mapping network's last activation.

    An optimiser that follows one picture leaves the codes that the mapping network makes, and
    generators synthesize smears from such codes. The prior is their Mahalanobis distance from the
    mean code.

    Args:
        codes: Codes of many latents [n, d].

    Raises:
        UserError: There are no more codes than entries in one.

    Reference:
        Wulff and Torralba, Improving Inversion and Generation Diversity in StyleGAN using a
        Gaussianized Latent Space (2020).
    """

    def __init__(self, codes: Tensor) -> None:
        number, width = codes.shape
        if number <= width:
            raise UserError(f"a prior of {width} numbers needs more than {number} codes")
        flat = _before_activation(codes.double())
        centred = flat - flat.mean(dim=0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / (number - 1))
        floor = _SMALLEST_VARIANCE * values.mean().clamp(min=1e-12)
        self.mean = flat.mean(dim=0).to(codes.dtype)
        self.whitening = (vectors / values.clamp(min=floor).sqrt()).to(codes.dtype)

    def __call__(self, ws: Tensor) -> Tensor:
        """Return the mean squared distance [] of codes [..., d]: about 1 for known heads."""
        return ((_before_activation(ws) - self.mean) @ self.whitening).square().mean()


def _before_activation(codes: Tensor) -> Tensor:
    return F.leaky_relu(codes, 1 / _SLOPE)


def refine_codes(
    objective: InversionObjective,
    start: Tensor,
    spread: Tensor,
    settings: CodeSettings,
    *,
    shared: bool,
    seed: int,
    step_done: CountProgress,
    prior: CodePrior | None = None,
) -> Tensor:
    """Return style codes [1, k, d] that fit a picture better.

    Args:
        objective: The loss to minimise; its generator stays as it is.
        start: First codes [1, k, d].
        spread: Standard deviation of codes over the generator's heads [k, d].
        settings: Steps and rates.
        shared: One code for all slots (W), at first the mean over the slots; else a code per slot
            (W+).
        seed: Seed of the noise on codes and of the rays.
        step_done: Called after each step.
        prior: Keeps the codes of all slots near those of the mapping network, by the settings'
            weight.
    """
    begin = start.mean(dim=1, keepdim=True) if shared or settings.from_one_code else start
    if not shared:
        begin = begin.expand(start.shape)
    spread = (spread.mean(dim=0, keepdim=True) if shared else spread)[None]
    unit = spread if settings.unit == "spread" else torch.ones_like(spread)
    common = torch.zeros_like(begin[:, :1], requires_grad=True)
    own = torch.zeros_like(begin, requires_grad=not shared)
    moves = [common] if shared else [common, own] if settings.together else [own]
    optimiser = torch.optim.Adam(moves, betas=(0.9, 0.999))
    noise_draws, view_draws = (torch.Generator().manual_seed(seed) for _ in range(2))
    for step in range(settings.steps):
        progress = step / settings.steps
        noise = torch.randn(begin.shape, generator=noise_draws).to(begin)
        with torch.enable_grad():
            moved = begin + unit * (common + own)
            noised = moved + spread * noise * noise_strength(progress, settings)
            ws = noised.expand(start.shape)
            loss = objective.of_codes(ws, step, view_draws)
            if settings.keep:
                loss = loss + settings.keep * (unit / spread * own).square().mean()
            if settings.prior and prior is not None:
                loss = loss + settings.prior * prior(moved)
            gradients = torch.autograd.grad(loss, moves)
        for move, gradient in zip(moves, gradients, strict=True):
            move.grad = gradient
        optimiser.param_groups[0]["lr"] = settings.learning_rate * ramp(progress, settings)
        optimiser.step()
        step_done(step + 1, settings.steps)
    return (begin + unit * (common + own).detach()).expand(start.shape).clone()


def ramp(progress: float, settings: CodeSettings) -> float:
    """Return the share of the full rate at a progress in [0, 1): up linearly, down as a cosine."""
    down = min(1.0, (1.0 - progress) / settings.ramp_down) if settings.ramp_down else 1.0
    up = min(1.0, progress / settings.ramp_up) if settings.ramp_up else 1.0
    return (0.5 - 0.5 * math.cos(down * math.pi)) * up


def noise_strength(progress: float, settings: CodeSettings) -> float:
    """Return the noise on codes at a progress in [0, 1), in standard deviations."""
    if settings.noise == 0 or settings.noise_until == 0:
        return 0.0
    return settings.noise * max(0.0, 1.0 - progress / settings.noise_until) ** 2


def from_the_mean(settings: CodeSettings) -> CodeSettings:
    """Return the settings of a projection from the mean code: with noise, without `keep`, prior."""
    return dataclasses.replace(settings, noise=0.05, keep=0.0, prior=0.0)
