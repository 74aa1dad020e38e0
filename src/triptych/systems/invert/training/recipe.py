"""3DpSp: an encoder that finds the style codes of a picture in a few steps (ReStyle).

The generator is frozen, and trained through. Each step of the iteration is compared with the
picture and with a second view of the same head; nothing flows back from one step to the one
before. Style codes that are known (of rendered avatars and of the generator's own heads) supervise
too, which is this package's addition; a first phase that only regresses them renders nothing and
is several times cheaper.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.errors import UserError
from triptych.metrics.metric_networks import find_metric_networks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.ops.resize import fit_size
from triptych.systems.invert.losses import inversion_loss
from triptych.systems.invert.training.setup import (
    Options,
    encoder_for,
    target_sources,
    unseen_targets,
)
from triptych.systems.invert.training.shared_batch_norm import share_batch_statistics
from triptych.systems.invert.training.slots import MeanViews, RestyleSlots, SlotBatch, stacked
from triptych.systems.invert.training.targets import Target
from triptych.systems.invert.training.validation import check_inversion, inversion_rows
from triptych.training.head_views import HeadViews, ViewDraw
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained

__all__ = ["LOOP", "Options", "PspRecipe", "build", "export"]

LOOP = LoopConfig(
    optimiser="ranger",
    learning_rate=4e-3,
    betas=(0.95, 0.99),
    warmup_steps=10,  # Ranger warms up by itself
    ema_decay=0.998,
    sheet_every_s=900.0,
    shared_draws=True,
)

_TEST_HEADS = 8
_SHEET_HEADS = 6


def build(options: Options) -> PspRecipe:
    """Build the recipe with a fresh or given encoder."""
    return PspRecipe(options)


def export(recipe: PspRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged encoder as a self-describing fp16 weight file."""
    save_trained(
        recipe,
        result,
        "encoder",
        out,
        variant=recipe.options.variant,
        generator=recipe.options.generator,
        networks=recipe.networks.used,
    )


class PspRecipe:
    """Training of a `PspEncoder` through a frozen generator."""

    name = "psp"

    def __init__(self, options: Options) -> None:
        from triptych.weights.loading import load_generator

        self.options = options
        generator = load_generator(options.generator, options.device)
        self.generator: TriPlaneGenerator = channels_last(generator)
        shards = ShardSet(options.shards) if options.shards else None
        self.targets = target_sources(options, self.generator, shards)
        unseen = unseen_targets(options, self.generator, _TEST_HEADS)
        self.unseen = [target.to(options.device) for target in unseen]
        encoder = encoder_for(options, self.generator, shards)
        self.encoder = channels_last(encoder.to(options.device)).train()
        share_batch_statistics(self.encoder)
        self.modules: Modules = {"encoder": self.encoder}
        self.networks = find_metric_networks(
            options.networks,
            folder=options.metric_files,
            stack=options.lpips,
            squeeze="max" if options.quirks == "published" else "mean",
            embedded_perceptual=options.features,
            embedded_identity=options.features,
        ).to(options.device)
        self.views = HeadViews(self.generator, options.views, half_precision=options.half_precision)
        self.mean_views = MeanViews(self.encoder, self.views)
        self._slots: RestyleSlots | None = None

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Make some steps of the iteration; those before the last are sent backward here."""
        if progress.fraction < self.options.warm_up:
            loss, figures = self._regression(self._seeds(progress, generator))
            return loss, _as_numbers(figures)
        self._slots = self._slots or self._new_slots(progress)
        gathered: list[dict[str, Tensor]] = []
        loss = torch.zeros(())
        for step in range(self.options.steps_per_update):
            if step:
                loss.backward()
            self._slots.refill(self._target_of, self._seeds(progress, generator))
            loss, figures = self._step(self._slots, progress, generator)
            gathered.append(figures)
        means = {name: torch.stack([g[name] for g in gathered]).mean() for name in gathered[-1]}
        return loss, _as_numbers(means)

    def _regression(self, seeds: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare the first step's style codes with the known ones; nothing is rendered."""
        targets = [self._target_of(seed) for seed in seeds]
        start = self.encoder.latent_mean.expand(len(targets), -1, -1)
        first = torch.stack([self.mean_views(target.camera) for target in targets])
        batch = stacked(targets, start, first)
        if not bool(batch.is_known.any()):
            raise UserError("warm_up needs known style codes; photos have none: set warm_up=0")
        latent = self._latent_error(self._next(batch), batch)
        return latent, {"latent": latent.detach()}

    def _step(
        self, slots: RestyleSlots, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        options, batch = self.options, slots.batch()
        whole = bool(options.identity_every) and progress.step % options.identity_every == 0
        first, second = (
            self._view_draw(progress, each_whole, generator) for each_whole in (whole, False)
        )
        ws = self._next(batch)
        with half_precision_where_fast(ws.device, options.half_precision):
            planes = self.generator.planes(ws, modulation="activations")
        planes = planes.float()
        uncertainty = self.views.cut(batch.uncertainty[:, None], second)[:, 0]
        loss, terms = inversion_loss(
            self.views.pair(planes, ws, batch.camera, batch.image, first),
            self.views.pair(planes, ws, batch.second_camera, batch.second, second),
            self.networks.perceptual,
            self.networks.identity,
            options.weights,
            uncertainty=uncertainty,
        )
        terms = {"latent": self._latent_error(ws, batch), **terms}
        loss = loss + options.latent * terms["latent"]
        slots.advance(ws, self._fed_back(planes.detach(), ws.detach(), batch))
        return loss, {name: term.detach() for name, term in terms.items()}

    def _target_of(self, seed: int) -> Target:
        return self.targets.target_of(seed).to(self.options.device)

    def _next(self, batch: SlotBatch) -> Tensor:
        """Return the style codes [b, k, d] after one more step of the encoder."""
        size = self.encoder.config.image_size
        sees = self.encoder.config.sees_reconstruction
        with half_precision_where_fast(batch.ws.device, self.options.half_precision):
            step = self.encoder(
                fit_size(batch.seen, size), batch.reconstruction if sees else None, batch.camera
            )
        return batch.ws + step

    def _fed_back(self, planes: Tensor, ws: Tensor, batch: SlotBatch) -> Tensor:
        """Return what the encoder is shown next [b, 3, e, e]."""
        config = self.encoder.config
        if not config.sees_reconstruction:
            return batch.reconstruction
        seen = self.views.preview(planes, ws, batch.camera, config.restyle.render_size)
        return fit_size(seen, config.image_size)

    def _latent_error(self, ws: Tensor, batch: SlotBatch) -> Tensor:
        """Return the mean squared error of known style codes in units of their spread."""
        if not bool(batch.is_known.any()):
            return ws.new_zeros(())
        error = (ws - batch.known_ws) / self.encoder.latent_std
        per_target = error.square().mean(dim=(1, 2))
        # Divided by the whole batch, so that the shares of several processes add up.
        return (per_target * batch.is_known).mean()

    def _view_draw(self, progress: Progress, whole: bool, generator: torch.Generator) -> ViewDraw:
        draw = self.views.draw(self.options.batch, whole, generator)
        return draw.share(progress.process, progress.num_processes)

    def _seeds(self, progress: Progress, generator: torch.Generator) -> list[int]:
        """Draw a seed for every target of the batch and return this process's share."""
        seeds = torch.randint(2**62, (self.options.batch,), generator=generator)
        return seeds[progress.process :: progress.num_processes].tolist()

    def _new_slots(self, progress: Progress) -> RestyleSlots:
        batch, processes = self.options.batch, progress.num_processes
        if batch % processes:
            raise UserError(f"batch: got {batch}; expected a multiple of {processes} processes")
        return RestyleSlots(
            range(progress.process, batch, processes),
            self.encoder.config.restyle.num_steps,
            start=lambda: self.encoder.latent_mean,
            first_reconstruction=self.mean_views,
            stagger=self.options.stagger,
        )

    def evaluate(self, averaged: Modules) -> dict[str, float]:
        """Invert unseen heads and measure every step; see `check_inversion`."""
        encoder: Any = averaged["encoder"]
        return check_inversion(encoder, self.generator, self.unseen, self.networks)

    def sheet(self, averaged: Modules, path: Path) -> None:
        """Save unseen heads: picture, some steps, another view of it, the inversion there."""
        encoder: Any = averaged["encoder"]
        rows, captions = inversion_rows(encoder, self.generator, self.unseen[:_SHEET_HEADS])
        save_sheet(rows, path, captions)


def _as_numbers(figures: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(figure) for name, figure in figures.items()}
