"""What comes after the encoder's steps: a head of the generator's own, its codes, the generator."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait
from triptych.systems.invert.refinement.codes import CodePrior, refine_codes
from triptych.systems.invert.refinement.latent import KnownHeads, fit_latent, nearest_head
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.refinement.tuning import tune_generator
from triptych.systems.invert.settings import InvertSettings, mirrored_weights
from triptych.systems.invert.target import InversionStage, InversionTarget, stage_of

LOOKING, LATENT = "looking for a head like it", "fitting that head"
REFINING, TUNING = "refining codes", "tuning"

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, how much of it is done, and how much there is."""


class InversionRefiner:
    """Brings an inversion nearer to its picture, stage by stage.

    Args:
        generator: Frozen; its usual heads are made when they are first asked for.
        spread: Standard deviation of style codes over the generator's heads [k, d].
        judges: Networks of the perceptual and the identity term.
    """

    def __init__(
        self, generator: TriPlaneGenerator, spread: Tensor, networks: MetricNetworks
    ) -> None:
        self.generator, self.spread, self.networks = generator, spread, networks

    def to(self, device: torch.device | str) -> InversionRefiner:
        """Move what is known of the generator to a device, and return self; networks stay."""
        self.spread = self.spread.to(device)
        if "known_heads" in self.__dict__:
            self.known_heads = self.known_heads.to(device)
        self.__dict__.pop("code_prior", None)
        return self

    @cached_property
    def known_heads(self) -> KnownHeads:
        """The heads that the generator makes by itself."""
        return KnownHeads.of(self.generator)

    @cached_property
    def code_prior(self) -> CodePrior:
        """How usual codes are among those heads."""
        return CodePrior(self.known_heads.codes)

    def objective(self, target: InversionTarget, settings: InvertSettings) -> InversionObjective:
        """Return what latents and codes are to make small."""
        weights = mirrored_weights(settings)
        return InversionObjective(self.generator, target, self.networks, settings, weights)

    def fit_latent(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
    ) -> InversionStage:
        """Go from codes that no head ever had to the generator's own head most like the picture."""
        started = time.monotonic()
        nearest = nearest_head(
            self.generator,
            self.known_heads,
            target,
            self.networks,
            so_far.portrait.ws[0].mean(dim=0),
            self.spread.mean(dim=0),
            settings.latent,
            step_done=lambda done, total: progress(LOOKING, done, total),
        )
        latent = fit_latent(
            self.generator,
            self.known_heads,
            self.objective(target, settings),
            nearest,
            settings.latent,
            step_done=lambda done, total: progress(LATENT, done, total),
        )
        portrait = TriPlanePortrait.from_generator(self.generator, self.generator.mapping(latent))
        return stage_of("latent", portrait, target, self.networks, time.monotonic() - started)

    def refine_codes(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
        left: float,
    ) -> InversionStage:
        """Refine style codes; `left` is the distance that the encoder left."""
        started = time.monotonic()
        shared = settings.refine == "w"
        steps = settings.codes.steps
        if so_far.name == "latent":
            steps = max(0, steps - settings.latent.steps)
        prior = settings.codes.prior * left**4
        ws = refine_codes(
            self.generator,
            self.objective(target, settings),
            so_far.portrait.ws,
            self.spread,
            dataclasses.replace(settings.codes, steps=steps, prior=prior),
            shared=shared,
            seed=settings.seed,
            step_done=lambda done, total: progress(REFINING, done, total),
            prior=self.code_prior if prior else None,
        )
        portrait = TriPlanePortrait.from_generator(self.generator, ws)
        seconds = time.monotonic() - started
        return stage_of("w" if shared else "w+", portrait, target, self.networks, seconds)

    def tune(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
    ) -> InversionStage:
        """Fit the generator itself to the picture; the codes stay."""
        started = time.monotonic()
        ws = so_far.portrait.ws
        tuned = tune_generator(
            self.generator,
            target,
            ws,
            self.networks,
            settings,
            step_done=lambda done, total: progress(TUNING, done, total),
        )
        portrait = TriPlanePortrait.from_generator(tuned, ws)
        return stage_of("pti", portrait, target, self.networks, time.monotonic() - started)
