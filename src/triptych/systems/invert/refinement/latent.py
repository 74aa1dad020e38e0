"""Fitting a head through the generator's latent: only heads that the generator makes by itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.refinement.codes import Step
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.settings import LatentSettings
from triptych.systems.invert.target import InversionTarget

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
        """Return enough heads of a generator to say what is usual for it."""
        config = generator.config
        seeds = range(max(_SEEDS, _SEEDS_PER_CODE_ENTRY * config.w_dim))
        latents = torch.cat([generator.latent(seed) for seed in seeds])
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


# Entries that hardly differ between heads (a rare garment) still get a unit to move in.
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
    step_done: Step,
) -> Tensor:
    """Return the latent [1, z_dim] of the head that looks most like a picture.

    Args:
        generator: Frozen.
        known: Its heads.
        target: The picture.
        judges: The perceptual distance is used.
        code: Style code [d] near which heads are looked for.
        unit: Spread of style codes [d].
        settings: How many heads are looked at.
        step_done: Called after each look.
    """
    numbers = known.nearest(code, unit, settings.heads).tolist()
    found: list[tuple[float, int]] = []
    for number in numbers:
        ws = known.codes[number].expand(1, generator.num_ws, -1)
        pred = (
            TriPlanePortrait.from_generator(generator, ws).render(target.camera).image.clamp(-1, 1)
        )
        found.append((float(networks.perceptual(pred, target.image)), number))
        step_done(len(found), len(numbers))
    return known.latents[min(found)[1]][None]


def fit_latent(
    generator: TriPlaneGenerator,
    known: KnownHeads,
    objective: InversionObjective,
    start: Tensor,
    settings: LatentSettings,
    *,
    step_done: Step,
) -> Tensor:
    """Return a latent [1, z_dim] whose head fits a picture better.

    Args:
        generator: Frozen.
        known: Its heads; no entry leaves the range that it has among them.
        objective: What is made small.
        start: Where to begin [1, z_dim].
        settings: Steps, rate and hold.
        step_done: Called after each step.
    """
    synthesizer = copy.deepcopy(
        generator
    ).train()  # its convolutions then cost half as much backward
    lowest, highest = known.latents.amin(dim=0), known.latents.amax(dim=0)
    spread = known.latents.std(dim=0).clamp(min=_LEAST_SPREAD)
    move = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([move])
    for step in range(settings.steps):
        with torch.enable_grad():
            ws = synthesizer.mapping(start + spread * move)
            loss = objective.of_codes(synthesizer, ws, step)
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
