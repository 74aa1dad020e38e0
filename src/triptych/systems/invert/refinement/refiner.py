"""The refinement stages after the encoder: latent, style codes, the generator itself."""

from __future__ import annotations

import dataclasses
import time
from functools import cached_property

import torch
from torch import Tensor

from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.systems.invert.refinement.codes import CodePrior, refine_codes
from triptych.systems.invert.refinement.latent import KnownHeads, fit_latent, nearest_head
from triptych.systems.invert.refinement.objective import InversionObjective
from triptych.systems.invert.refinement.tuning import tune_generator
from triptych.systems.invert.settings import InvertSettings, mirrored_weights
from triptych.systems.invert.target import InversionStage, InversionTarget, stage_of, with_codes

COMPARING, LATENT = "comparing known heads", "fitting the latent"
REFINING, TUNING = "refining codes", "tuning"


class InversionRefiner:
    """Brings an inversion nearer to its picture, stage by stage.

    Args:
        generator: Frozen; its known heads are sampled at first use.
        spread: Standard deviation of style codes over the generator's heads [k, d].
        networks: Networks of the perceptual and the identity term.
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
        """Latents and style codes of many of the generator's seeds."""
        return KnownHeads.of(self.generator)

    @cached_property
    def code_prior(self) -> CodePrior:
        """The distribution of their codes."""
        return CodePrior(self.known_heads.codes)

    def objective(self, target: InversionTarget, settings: InvertSettings) -> InversionObjective:
        """Return the loss that latents and codes minimise."""
        weights = mirrored_weights(settings)
        return InversionObjective(
            self.generator,
            target,
            self.networks,
            weights,
            views=settings.views,
            mirror=settings.compares_mirror_image,
            whole_every=settings.whole_every,
        )

    def fit_latent(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
    ) -> InversionStage:
        """Start again from the seed most like the picture, and fit its latent."""
        started = time.monotonic()
        nearest = nearest_head(
            self.generator,
            self.known_heads,
            target,
            self.networks,
            so_far.portrait.ws[0].mean(dim=0),
            self.spread.mean(dim=0),
            settings.latent,
            step_done=lambda done, total: progress(COMPARING, done, total),
        )
        latent = fit_latent(
            self.known_heads,
            self.objective(target, settings),
            nearest,
            settings.latent,
            seed=settings.seed,
            step_done=lambda done, total: progress(LATENT, done, total),
        )
        portrait = with_codes(so_far.portrait, self.generator, self.generator.mapping(latent))
        return stage_of("latent", portrait, target, self.networks, time.monotonic() - started)

    def refine_codes(
        self,
        target: InversionTarget,
        so_far: InversionStage,
        settings: InvertSettings,
        progress: Progress,
        *,
        encoder_distance: float,
    ) -> InversionStage:
        """Refine style codes; the prior counts by the encoder's perceptual distance."""
        started = time.monotonic()
        shared = settings.refine == "w"
        steps = settings.codes.steps
        if so_far.name == "latent":
            steps = max(0, steps - settings.latent.steps)
        prior = settings.codes.prior * encoder_distance**4
        ws = refine_codes(
            self.objective(target, settings),
            so_far.portrait.ws,
            self.spread,
            dataclasses.replace(settings.codes, steps=steps, prior=prior),
            shared=shared,
            seed=settings.seed,
            step_done=lambda done, total: progress(REFINING, done, total),
            prior=self.code_prior if prior else None,
        )
        portrait = with_codes(so_far.portrait, self.generator, ws)
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
