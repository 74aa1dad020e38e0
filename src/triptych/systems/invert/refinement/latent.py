"""Fitting the generator's latent, which gives only heads that its mapping network knows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.latents import latents_of_first_seeds
from triptych.portrait import TriPlanePortrait
from triptych.progress import CountProgress
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.settings import LatentSettings
from triptych.systems.invert.target import InversionTarget, with_codes

_SEEDS = 6000
_SEEDS_PER_CODE_ENTRY = 4


@dataclass(frozen=True, eq=False)
class KnownHeads:
    """Seeds of a generator, from 0 up.

    Attributes:
        latents: Latents [n, z_dim].
        codes: Style codes of the frontal camera [n, w_dim].
    """

    latents: Tensor
    codes: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, generator: TriPlaneGenerator) -> KnownHeads:
        """Return enough heads of a generator for the statistics of its codes."""
        config = generator.config
        count = max(_SEEDS, _SEEDS_PER_CODE_ENTRY * config.w_dim)
        latents = latents_of_first_seeds(count, config.z_dim, config.latent_kind)
        latents = latents.to(next(generator.parameters()).device)
        return cls(latents, generator.mapping(latents)[:, 0])

    def to(self, device: torch.device | str) -> KnownHeads:
        """Return the heads on another device."""
        return KnownHeads(self.latents.to(device), self.codes.to(device))

    def nearest(self, code: Tensor, unit: Tensor, count: int) -> Tensor:
        """Return the numbers of the heads nearest to a style code, nearest first.

        Args:
            code: Style code [d].
            unit: What each entry's distance counts in [d].
            count: How many heads.
        """
        distance = ((self.codes - code) / unit).square().mean(dim=1)
        return distance.topk(min(count, len(distance)), largest=False).indices


# Entries that hardly differ between heads (a rare garment) still get a unit of length.
_LEAST_SPREAD = 1e-4


@torch.no_grad()
def nearest_head(
    generator: TriPlaneGenerator,
    known: KnownHeads,
    target: InversionTarget,
    networks: MetricNetworks,
    code: Tensor,
    unit: Tensor,
    settings: LatentSettings,
    *,
    step_done: CountProgress,
) -> Tensor:
    """Return the latent [1, z_dim] of the head that is perceptually nearest to a picture.

    Args:
        generator: Frozen.
        known: Its heads.
        target: The picture.
        networks: The perceptual distance is used.
        code: Style code [d]; the heads nearest to it are compared.
        unit: Spread of style codes [d].
        settings: How many heads are compared.
        step_done: Called after each head.
    """
    numbers = known.nearest(code, unit, settings.heads).tolist()
    codes = [known.codes[number].expand(1, generator.num_ws, -1) for number in numbers]
    portrait = TriPlanePortrait.from_generator(generator, codes[0])
    found: list[tuple[float, int]] = []
    for number, ws in zip(numbers, codes, strict=True):
        pred = with_codes(portrait, generator, ws).render(target.camera).image.clamp(-1, 1)
        found.append((float(networks.perceptual(pred, target.image)), number))
        step_done(len(found), len(numbers))
    return known.latents[min(found)[1]][None]


def fit_latent(
    known: KnownHeads,
    objective: InversionObjective,
    start: Tensor,
    settings: LatentSettings,
    *,
    seed: int,
    step_done: CountProgress,
) -> Tensor:
    """Return a latent [1, z_dim] whose head fits a picture better.

    Args:
        known: Heads of the objective's generator; no entry leaves the range that it has in them.
        objective: The loss to minimise.
        start: First latent [1, z_dim].
        settings: Steps, rate and `keep`.
        seed: Seed of the rays.
        step_done: Called after each step.
    """
    draws = torch.Generator().manual_seed(seed)
    lowest, highest = known.latents.amin(dim=0), known.latents.amax(dim=0)
    spread = known.latents.std(dim=0).clamp(min=_LEAST_SPREAD)
    move = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([move])
    for step in range(settings.steps):
        with torch.enable_grad():
            ws = objective.generator.mapping(start + spread * move)
            loss = objective.of_codes(ws, step, draws)
            loss = loss + settings.keep * move.square().mean()
            (move.grad,) = torch.autograd.grad(loss, [move])
        left = (1 - step / settings.steps) / settings.ramp_down if settings.ramp_down else 1.0
        optimiser.param_groups[0]["lr"] = settings.learning_rate * min(1.0, left)
        optimiser.step()
        with torch.no_grad():
            inside = (start + spread * move).clamp(lowest, highest)
            move.copy_((inside - start) / spread)
        step_done(step + 1, settings.steps)
    return start + spread * move.detach()
