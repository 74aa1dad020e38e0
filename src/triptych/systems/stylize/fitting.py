"""FF3D's Algorithm 2: fit the planes' source to the edited views of one style."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from triptych.errors import UserError, shown
from triptych.fields.triplane import TriPlaneField
from triptych.ops.precision import half_precision_where_fast
from triptych.ops.resize import resize_bilinear
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.render.empty_space import EmptySpace
from triptych.systems.stylize.density_roughness import density_roughness, points_in_box
from triptych.systems.stylize.rendered_batch import RenderedBatch, SurfaceMemory, ViewRenderer
from triptych.systems.stylize.settings import StylizeSettings
from triptych.systems.stylize.views import EditedViews
from triptych.training.damping import damped_epsilon
from triptych.training.schedules import frozen_copy, update_average, warmup_cosine
from triptych.weights.safetensors_file import FileHeader, load_tensors, save_tensors

FITTING = "fitting"
SECONDS_BETWEEN_CHECKPOINTS = 20.0
_HELD_OUT_AT_ONCE = 4
_LOWEST_RATE = 0.1

Perceptual = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ValidationMetrics:
    """What is measured on the held-out views.

    Attributes:
        step: Optimiser steps done.
        l1: Mean absolute difference in [-1, 1] units.
        perceptual: Perceptual distance; 0 when it is off.
        loss: What is compared: l1 + weight * perceptual.
    """

    step: int
    l1: float
    perceptual: float
    loss: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the fitting leaves.

    Attributes:
        planes: Planes [1, 3, c, h, w] of the average weights where held-out views were best.
        curve: Validations, in order.
        steps: Optimiser steps done.
        stopped_early: Whether the held-out views had stopped improving.
    """

    planes: Tensor
    curve: tuple[ValidationMetrics, ...]
    steps: int
    stopped_early: bool


def split_views(views: EditedViews, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices of the views to fit and of those held out; never the front."""
    kept = views.kept.nonzero()[:, 0]
    candidates = kept[kept != 0]
    generator = torch.Generator().manual_seed(seed)
    shuffled = candidates[torch.randperm(len(candidates), generator=generator)]
    count = min(round(fraction * len(kept)), max(0, len(candidates) - 1))
    return torch.cat([kept[:1], shuffled[count:].sort().values]), shuffled[:count].sort().values


def fit(
    source: nn.Module,
    portrait: TriPlanePortrait,
    views: EditedViews,
    settings: StylizeSettings,
    *,
    perceptual: Perceptual | None,
    seed: int,
    checkpoint: Path,
    progress: Progress,
    seconds_between_checkpoints: float = SECONDS_BETWEEN_CHECKPOINTS,
) -> Fitted:
    """Fine-tune the source of the planes; decoder and super-resolution are frozen.

    An interrupted run goes on from its last checkpoint and gives the same result.

    Args:
        source: Maps the edited front view to planes; it is changed.
        portrait: The original head: decoder, super-resolution, style codes and first depth.
        views: The edited views.
        settings: Loss, optimiser and stopping.
        perceptual: Distance [b] of two batches of pictures; None leaves it out.
        seed: Seed of all draws.
        checkpoint: File of the state between steps.
        progress: Called after every step.
        seconds_between_checkpoints: How much work an interruption may cost.

    Reference:
        FF3D, Algorithm 2, Eq. 5-7.
    """
    fitting = Fitting(source, portrait, views, settings, perceptual, seed)
    fitting.restore(checkpoint)
    saved = time.monotonic()
    while not fitting.finished:
        progress(FITTING, fitting.step, settings.steps)
        fitting.advance()
        if time.monotonic() - saved > seconds_between_checkpoints:
            fitting.save(checkpoint)
            saved = time.monotonic()
    progress(FITTING, fitting.step, settings.steps)
    best = fitting.best if fitting.best is not None else fitting.averaged_planes()
    return Fitted(best, tuple(fitting.curve), fitting.step, fitting.step < settings.steps)


class Fitting:
    """The state of a fitting between two steps.

    Attributes:
        source: Maps the edited front view to planes; trained.
        averaged: Moving average of `source`; what is validated and returned.
        offset: Added to every answer of the source [1, 3, c, h, w]; see
            `StylizeSettings.anchor`.
        optimiser: Adam over the trainable parameters of `source`.
        renderer: Renders views beside their edits.
        surface: Where the surface was last rendered, in every view.
        empty_space: Loss on density far from the unedited head, if any.
        fitted, held_out: Indices of the views that are fitted, and of those for validation.
        generator: Source of all draws of the steps.
        step: Optimiser steps done.
        curve: Validations so far.
        best: Planes of the best validation [1, 3, c, h, w]; None before the first.
    """

    def __init__(
        self,
        source: nn.Module,
        portrait: TriPlanePortrait,
        views: EditedViews,
        settings: StylizeSettings,
        perceptual: Perceptual | None,
        seed: int,
    ) -> None:
        self.portrait, self.views, self.settings = portrait, views, settings
        self.perceptual, self.seed = perceptual, seed
        self.source = source.train()
        self.averaged = frozen_copy(source)
        self.offset = self._offset_to_the_head()
        self.parameters = [p for p in source.parameters() if p.requires_grad]
        # Adam's moments are written as floats: torch refuses (0, 0.99).
        self.optimiser = torch.optim.Adam(
            self._groups(), lr=settings.learning_rate, betas=settings.betas
        )
        self.renderer = ViewRenderer(portrait, views, settings)
        self.surface = SurfaceMemory(views.originals.depth, views.originals.alpha)
        self.empty_space = self._empty_space()
        self.fitted, self.held_out = split_views(views, settings.held_out_fraction, seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0
        self.curve: list[ValidationMetrics] = []
        self.best: Tensor | None = None

    @property
    def finished(self) -> bool:
        """Whether all steps are done or the held-out views have stopped improving."""
        if self.step >= self.settings.steps:
            return True
        return _checks_since_best(self.curve) >= self.settings.patience

    def advance(self) -> None:
        """Do one step, and validate when it is time."""
        self._set_rate()
        if self.settings.use_i2t == "levels" and self.step % self.settings.evaluate_every == 0:
            self._find_loose_parts()
        self.optimiser.zero_grad(set_to_none=True)
        self._add_gradients()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_clip)
        self.optimiser.step()
        self.step += 1
        update_average(self.averaged, self.source, step=self.step, decay=self.settings.ema_decay)
        due = self.step % self.settings.evaluate_every == 0
        if len(self.held_out) and (due or self.step == self.settings.steps):
            self._validate()

    def averaged_planes(self) -> Tensor:
        """Return the planes of the average weights."""
        return self._planes(self.averaged).detach()

    def _planes(self, source: nn.Module) -> Tensor:
        return self._answer(source, self.views.front) + self.offset

    def _answer(self, source: nn.Module, front: Tensor) -> Tensor:
        with half_precision_where_fast(front.device, self.settings.mixed_precision):
            planes = source(front).float()
        return resize_bilinear(planes[0], self.portrait.planes.shape[-1], antialias=True)[None]

    @torch.no_grad()
    def _offset_to_the_head(self) -> Tensor:
        """Return the unedited head's planes less those of the untuned source; zero if unanchored.

        For the generator's own planes it is zero unless the head's planes were tuned (PTI).
        """
        planes = self.portrait.planes
        if self.settings.anchor == "none" or self.settings.use_i2t == "no_pretraining":
            return torch.zeros_like(planes)
        return planes - self._answer(self.averaged, self.views.originals.images[:1])

    def _groups(self) -> list[dict[str, Any]]:
        """Return what Adam has one rate and one epsilon for: levels are damped one by one."""
        if self.settings.use_i2t == "levels":
            return [{"params": [level]} for level in self.parameters]
        return [{"params": self.parameters}]

    def _set_rate(self) -> None:
        settings = self.settings
        rate = settings.learning_rate * warmup_cosine(
            self.step,
            self.step / settings.steps,
            warmup_steps=settings.warmup_steps,
            final=_LOWEST_RATE,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
            if settings.use_i2t == "levels":
                group["eps"] = damped_epsilon(self.optimiser, group["params"][0], settings.damping)

    def _add_gradients(self) -> None:
        """Differentiate L_total = rec_weight * L_rec + density_weight * L_dr (Eq. 7).

        Views meet only in the planes, so their gradients are gathered there, a few views at a
        time: whole pictures at 512 pixels would otherwise need gigabytes each.
        """
        settings = self.settings
        planes = self._planes(self.source)
        gathered = planes.detach().requires_grad_()
        chosen = torch.randint(len(self.fitted), (settings.batch_views,), generator=self.generator)
        for part in chosen.split(self.renderer.views_at_once):
            batch = self._rendered(gathered, self.fitted[part], self.generator)
            l1, distance = self._differences(batch)
            share = len(part) / len(chosen)
            loss = settings.rec_weight * share * (l1 + settings.perceptual_weight * distance)
            loss.backward()
        if settings.density_weight > 0:
            (settings.density_weight * self._roughness(gathered)).backward()
        if self.empty_space is not None:
            empty_space_loss = self.empty_space.empty_space_loss(
                self._field(gathered), settings.empty_points, self.generator
            )
            (settings.empty_weight * empty_space_loss).backward()
        planes.backward(gathered.grad)

    def _rendered(self, planes: Tensor, views: Tensor, generator: torch.Generator) -> RenderedBatch:
        """Render views [b] of planes and remember where their surfaces are."""
        batch = self.renderer.batch(planes, views, self.surface, generator)
        self.surface.learn(batch.views, batch.pixels, batch.depth, batch.alpha)
        return batch

    def _differences(self, batch: RenderedBatch) -> tuple[Tensor, Tensor]:
        """Return L1 and perceptual distance of rendered and edited images (Eq. 5)."""
        l1 = (batch.pred - batch.target).abs().mean()
        if self.perceptual is None or self.settings.perceptual_weight == 0:
            return l1, l1.new_zeros(())
        with half_precision_where_fast(l1.device, self.settings.mixed_precision):
            return l1, self.perceptual(batch.pred, batch.target).float().mean()

    def _roughness(self, planes: Tensor) -> Tensor:
        settings = self.settings
        points = points_in_box(settings.density_points, self.portrait.box_size, self.generator)
        delta = torch.randn(points.shape, generator=self.generator) * settings.density_std
        points, delta = points.to(planes.device), delta.to(planes.device)
        # Moved out of the cube, a point must not meet a step down to nothing.
        field = replace(self._field(planes), beyond_box="decoded")
        return density_roughness(field, points, delta, settings.density_perturbation)

    def _empty_space(self) -> EmptySpace | None:
        settings = self.settings
        if settings.empty_weight == 0 or settings.background_margin is None:
            return None
        pixel = self.portrait.config.view.pixel_size(self.renderer.ray_size)
        head, margin = self.portrait, settings.background_margin * pixel
        return EmptySpace.round_head(head.occupancy, head.config.rendering, margin)

    @torch.no_grad()
    def _find_loose_parts(self) -> None:
        """Look for specks, which levels can make beside a head and a network hardly does."""
        if self.empty_space is not None and self.step > 0:
            self.empty_space.find_loose(self._field(self._planes(self.source)))

    def _field(self, planes: Tensor) -> TriPlaneField:
        return replace(self.portrait.field, planes=planes)

    @torch.no_grad()
    def _validate(self) -> None:
        """Measure the averaged network on the held-out views, always through the same rays.

        These views are rendered nowhere else. What the validation remembers of their surfaces is
        therefore seen by later validations only, never by the fitting.
        """
        planes, generator = self.averaged_planes(), torch.Generator().manual_seed(self.seed)
        l1s, distances = [], []
        for part in self.held_out.split(min(_HELD_OUT_AT_ONCE, self.renderer.views_at_once)):
            batch = self._rendered(planes, part, generator)
            l1, distance = self._differences(batch)
            l1s.append(float(l1) * len(part))
            distances.append(float(distance) * len(part))
        l1_mean, distance_mean = (sum(s) / len(self.held_out) for s in (l1s, distances))
        loss = l1_mean + self.settings.perceptual_weight * distance_mean
        self.curve.append(ValidationMetrics(self.step, l1_mean, distance_mean, loss))
        if _checks_since_best(self.curve) == 0:
            self.best = planes

    def save(self, path: Path) -> None:
        """Write the state between two steps."""
        tensors = {
            **{f"source.{name}": t for name, t in self.source.state_dict().items()},
            **{f"averaged.{name}": t for name, t in self.averaged.state_dict().items()},
            **{f"surface.{name}": t for name, t in self.surface.state().items()},
            **_optimiser_tensors(self.optimiser),
            "generator": self.generator.get_state(),
            "curve": torch.tensor(
                [(k.step, k.l1, k.perceptual, k.loss) for k in self.curve], dtype=torch.float64
            ).view(-1, 4),
        }
        if self.best is not None:
            tensors["best"] = self.best
        if self.empty_space is not None and len(self.empty_space.loose):
            tensors["loose"] = self.empty_space.loose
        save_tensors(path, tensors, FileHeader("StylizeFitting", {"step": self.step}))

    def restore(self, path: Path) -> None:
        """Go on from a saved state, if there is one."""
        if not path.exists():
            return
        tensors, header = load_tensors(path, "StylizeFitting")
        try:
            self._take(tensors, header)
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} does not belong to this fitting ({shown(error)}); delete it to begin anew"
            ) from error

    def _take(self, tensors: dict[str, Tensor], header: FileHeader) -> None:
        self.source.load_state_dict(_with_prefix(tensors, "source."))
        self.averaged.load_state_dict(_with_prefix(tensors, "averaged."))
        self.surface.restore(_with_prefix(tensors, "surface."))
        _restore_optimiser(self.optimiser, tensors)
        self.generator.set_state(tensors["generator"])
        self.curve = [
            ValidationMetrics(int(row[0]), *map(float, row[1:])) for row in tensors["curve"]
        ]
        self.best = tensors.get("best")
        if self.empty_space is not None and "loose" in tensors:
            self.empty_space.loose = tensors["loose"].to(self.empty_space.places)
        self.step = int(header.config["step"])


def _checks_since_best(curve: list[ValidationMetrics]) -> int:
    losses = [metrics.loss for metrics in curve]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without that beginning."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser as named tensors."""
    return {
        f"optimiser.{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take over a state among named tensors."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _with_prefix(tensors, "optimiser.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
