"""The training loop: optimise, average, log, evaluate, save and resume; it may stop at any time."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from triptych.errors import UserError, shown
from triptych.files import atomic_path
from triptych.ops.placement import device_of
from triptych.ops.thread_budget import ThreadBudget
from triptych.training.parameter_groups import ParameterGroup, optimiser_of, weights_and_biases
from triptych.training.schedules import frozen_copy, update_average, warmup_cosine

logger = logging.getLogger(__name__)

Modules = dict[str, nn.Module]


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        step: Optimiser steps so far.
        fraction: Fraction of this run's budget that is spent.
        process: Index of this process.
        num_processes: Number of processes.
    """

    step: int
    fraction: float
    process: int = 0
    num_processes: int = 1


class Recipe(Protocol):
    """What is specific to the training of one network; the loop does the rest.

    Attributes:
        name: Name of the run, for instance "generator".
        modules: The trained modules by name. The loop keeps an exponential average of each.

    A recipe may also have a method `groups() -> list[ParameterGroup]`, of all parameters that
    learn; without it weights and biases form two groups. Parameters that get no gradient in a step
    stay as they are, moments included, so a recipe may train its modules in turns.
    """

    name: str
    modules: Modules

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Draw a batch and return the loss and the figures to log.

        Gradients are zero when it is called; it may back-propagate parts of the loss itself and
        return the rest.
        """

    def evaluate(self, averaged: Modules) -> dict[str, float]:
        """Measure the averaged modules on held-out data."""

    def sheet(self, averaged: Modules, path: Path) -> None:
        """Save a picture of samples of the averaged modules."""


@dataclass(frozen=True)
class LoopConfig:
    """Budget and optimiser.

    Attributes:
        minutes: Wall-clock budget of this run; None for no limit.
        steps: Optimiser steps of this run; None for no limit. Training needs one of the two.
        optimiser: "adam", or "ranger" as in `training.ranger`.
        learning_rate: Peak rate; it warms up, then follows a cosine over the budget.
        weight_rate_gain: Factor on the learning rate of weights (parameters of two or more
            dimensions). Equalised layers store weights of unit deviation and scale them down when
            used, so that a rate that suits biases is too small for them.
        final_rate: Learning rate at the end of the budget, as a fraction of the peak.
        betas: The optimiser's two moment decays.
        weight_decay: Decoupled weight decay.
        warmup_steps: Steps of linear warm-up, counted from the start of this run.
        gradient_clip: Largest gradient norm.
        ema_decay: Upper limit of the decay of the weight average.
        log_every_s: Seconds between lines of metrics.
        save_every_s: Seconds between checkpoints.
        sheet_every_s: Seconds between sample sheets and evaluations.
        threads: Most threads to use; fewer while other programs are busy if `adaptive_threads`.
        seed: Seed of the batches.
        shared_draws: All processes get the same random numbers, for recipes that split one batch;
            otherwise each process draws its own batch.
    """

    minutes: float | None = None
    steps: int | None = None
    optimiser: Literal["adam", "ranger"] = "adam"
    learning_rate: float = 1e-3
    weight_rate_gain: float = 1.0
    final_rate: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    warmup_steps: int = 50
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    log_every_s: float = 30.0
    save_every_s: float = 120.0
    sheet_every_s: float = 600.0
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    adaptive_threads: bool = True
    seed: int = 0
    shared_draws: bool = False


@dataclass
class TrainingResult:
    """Result of a run.

    Attributes:
        averaged: The averaged modules.
        step: Optimiser steps in total.
        metrics: The last evaluation.
        is_main: Whether this process evaluates and writes the files.
    """

    averaged: Modules
    step: int
    metrics: dict[str, float]
    is_main: bool = True


def train(
    recipe: Recipe,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    resume: bool = True,
    report: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train a recipe's modules until the budget is spent or the run is interrupted.

    Several processes started by torchrun average their gradients; each draws its own batch, or its
    share of one (see `LoopConfig.shared_draws`). All stop when the first budget is spent.

    Args:
        recipe: The networks, their loss and their evaluation.
        config: Budget and optimiser.
        run_dir: Folder of this run: `checkpoint.pt`, `metrics.jsonl`, `sheets/`.
        resume: Continue from `checkpoint.pt` if it exists.
        report: Receives each line of metrics; the log when None.

    Returns:
        The averaged modules with the evaluation at the end.

    Raises:
        UserError: No budget is given, or the checkpoint is of another recipe.
    """
    from accelerate import Accelerator

    if config.minutes is None and config.steps is None:
        raise UserError("training needs a budget: give --minutes or --steps")
    # With cpu=True it also joins the processes of torchrun on a machine without an accelerator.
    on_cpu = device_of(next(iter(recipe.modules.values()))).type == "cpu"
    accelerator = Accelerator(cpu=on_cpu)
    run = _Run(recipe, config, Path(run_dir), accelerator, report or logger.info)
    if resume:
        run.restore()
    return run.run()


class _Run:
    """One run of the loop: the state between two steps."""

    def __init__(
        self,
        recipe: Recipe,
        config: LoopConfig,
        run_dir: Path,
        accelerator: Any,
        report: Callable[[str], None],
    ) -> None:
        self.recipe, self.config, self.run_dir, self.report = recipe, config, run_dir, report
        self.accelerator = accelerator
        self.averaged = {name: frozen_copy(module) for name, module in recipe.modules.items()}
        self.parameters = [
            p for m in recipe.modules.values() for p in m.parameters() if p.requires_grad
        ]
        own_groups = getattr(recipe, "groups", None)
        groups: list[ParameterGroup] = (
            own_groups()
            if own_groups
            else weights_and_biases(self.parameters, config.weight_rate_gain)
        )
        self.optimiser = optimiser_of(
            groups,
            config.optimiser,
            config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        self.step = 0
        (run_dir / "sheets").mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.run_dir / "checkpoint.pt"

    @property
    def is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def restore(self) -> None:
        if not self.checkpoint.exists():
            return
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            for name, module in self.recipe.modules.items():
                module.load_state_dict(state["modules"][name])
                self.averaged[name].load_state_dict(state["averaged"][name])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])
        except Exception as error:  # whatever torch raises over a file that is not its own
            raise UserError(
                f"{self.checkpoint} does not belong to this recipe ({shown(error)}); "
                "choose another run folder or leave out --resume"
            ) from error
        self.report(f"resumed at step {self.step}")

    def save(self) -> None:
        if not self.is_main:
            return
        state = {
            "modules": {name: module.state_dict() for name, module in self.recipe.modules.items()},
            "averaged": {name: module.state_dict() for name, module in self.averaged.items()},
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def run(self) -> TrainingResult:
        config = self.config
        share = max(1, config.threads // self.accelerator.num_processes)
        threads = ThreadBudget(share, config.adaptive_threads)
        threads.start()
        first_step, started = self.step, time.monotonic()
        saved = sheeted = logged = started
        figures: list[dict[str, float]] = []
        metrics: dict[str, float] = {}
        # Processes draw different batches unless they share one, and a resumed run draws new ones.
        process = 0 if config.shared_draws else self.accelerator.process_index
        seed = config.seed + 7919 * process + 104_729 * first_step
        generator = torch.Generator().manual_seed(seed)
        try:
            while (fraction := self._fraction(first_step, started)) < 1.0:
                threads.adapt()
                progress = Progress(
                    self.step,
                    fraction,
                    self.accelerator.process_index,
                    self.accelerator.num_processes,
                )
                figures.append(self._optimise(progress, first_step, generator))
                now = time.monotonic()
                if now - logged > config.log_every_s:
                    self._log(figures, now - started)
                    figures, logged = [], now
                if now - saved > config.save_every_s:
                    self.save()
                    saved = now
                if now - sheeted > config.sheet_every_s:
                    metrics = self._show(now - started)
                    sheeted = time.monotonic()
        except KeyboardInterrupt:
            self.save()
            raise
        if figures:
            self._log(figures, time.monotonic() - started)
        self.save()
        if self.step > first_step:
            metrics = self._show(time.monotonic() - started)
        return TrainingResult(self.averaged, self.step, metrics, self.is_main)

    def _fraction(self, first_step: int, started: float) -> float:
        """Return the spent fraction of this run's budget, by the tighter limit."""
        fraction = 0.0
        if self.config.steps is not None:
            done = self.step - first_step
            fraction = done / self.config.steps if self.config.steps > 0 else 1.0
        if self.config.minutes is not None:
            elapsed = time.monotonic() - started
            fraction = max(fraction, elapsed / (60 * max(1e-9, self.config.minutes)))
        if self.accelerator.num_processes > 1:
            # Clocks differ; processes that disagree about the end would block each other.
            spent = torch.tensor([fraction], device=self.accelerator.device)
            fraction = float(self.accelerator.gather(spent).max())
        return fraction

    def _optimise(
        self, progress: Progress, first_step: int, generator: torch.Generator
    ) -> dict[str, float]:
        config = self.config
        rate = config.learning_rate * warmup_cosine(
            self.step - first_step,
            progress.fraction,
            warmup_steps=config.warmup_steps,
            final=config.final_rate,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["rate_gain"]
        self.optimiser.zero_grad(set_to_none=True)
        loss, figures = self.recipe.loss(progress, generator)
        self.accelerator.backward(loss)
        self._share_gradients()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, config.gradient_clip)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        for name, module in self.recipe.modules.items():
            update_average(self.averaged[name], module, step=self.step, decay=config.ema_decay)
        return {"loss": float(loss.detach()), "gradient_norm": float(norm), **figures}

    def _share_gradients(self) -> None:
        if self.accelerator.num_processes == 1:
            return
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")

    def _log(self, figures: list[dict[str, float]], elapsed: float) -> None:
        if not self.is_main:
            return
        means = _means(figures)
        line = {
            "step": self.step,
            "elapsed_s": round(elapsed, 1),
            "threads": torch.get_num_threads(),
            **{key: float(f"{value:.5g}") for key, value in means.items()},
        }
        self._append(line)
        self.report("  ".join(f"{key} {value}" for key, value in line.items()))

    def _show(self, elapsed: float) -> dict[str, float]:
        if not self.is_main:
            return {}
        metrics = self.recipe.evaluate(self.averaged)
        self._append({"step": self.step, "elapsed_s": round(elapsed, 1), "evaluation": metrics})
        self.report(f"evaluation at step {self.step}: {metrics}")
        self.recipe.sheet(self.averaged, self.run_dir / "sheets" / f"step_{self.step:06d}.png")
        return metrics

    def _append(self, line: dict[str, Any]) -> None:
        with open(self.run_dir / "metrics.jsonl", "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


def _means(figures: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of every figure over the steps that report it."""
    values: dict[str, list[float]] = {}
    for step in figures:
        for key, value in step.items():
            values.setdefault(key, []).append(value)
    return {key: sum(found) / len(found) for key, found in values.items()}
