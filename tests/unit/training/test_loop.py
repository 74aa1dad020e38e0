"""The training loop: budgets, rates, averages, resuming, cutting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.training.loop import LoopConfig, Progress, train

QUIET = LoopConfig(steps=5, learning_rate=0.1, warmup_steps=1, threads=1, log_every_s=0.0)


class Line:
    """Fit a weight of one number to a target; every batch is the same."""

    name = "line"

    def __init__(self, target: float = 3.0, stop_at: int | None = None) -> None:
        self.module = nn.Linear(1, 1)
        with torch.no_grad():
            self.module.weight.zero_()
            self.module.bias.zero_()
        self.modules: dict[str, nn.Module] = {"line": self.module}
        self.target, self.stop_at = target, stop_at
        self.seen: list[Progress] = []

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        if progress.step == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(progress)
        error = self.module(torch.ones(1, 1)) - self.target
        return error.square().sum(), {"draw": float(torch.rand((), generator=generator))}

    def evaluate(self, averaged: dict[str, nn.Module]) -> dict[str, float]:
        line = averaged["line"]
        assert isinstance(line, nn.Linear)
        return {"weight": float(line.weight)}

    def sheet(self, averaged: dict[str, nn.Module], path: Path) -> None:
        path.write_bytes(b"picture")


def _lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_steps_are_counted_and_written_down(tmp_path):
    recipe = Line()
    result = train(recipe, QUIET, tmp_path)
    assert result.step == len(recipe.seen) == 5
    assert [progress.fraction for progress in recipe.seen] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert (tmp_path / "sheets" / "step_000005.png").exists()
    evaluations = [line for line in _lines(tmp_path) if "evaluation" in line]
    assert evaluations[-1]["evaluation"] == result.metrics


def test_a_budget_is_required(tmp_path):
    with pytest.raises(UserError, match="--minutes or --steps"):
        train(Line(), LoopConfig(), tmp_path)


def test_minutes_end_a_run(tmp_path):
    result = train(Line(), replace(QUIET, steps=None, minutes=0.005), tmp_path)
    assert result.step > 0


def test_first_step_of_adam_moves_by_the_rate_and_weights_by_their_gain(tmp_path):
    recipe = Line()
    train(recipe, replace(QUIET, steps=1, weight_rate_gain=4.0), tmp_path)
    # Adam's first step has the length of the rate, whatever the gradient.
    assert recipe.module.weight.item() == pytest.approx(0.4, rel=1e-3)
    assert recipe.module.bias.item() == pytest.approx(0.1, rel=1e-3)


def test_average_follows_the_weights(tmp_path):
    recipe = Line()
    result = train(recipe, replace(QUIET, steps=1), tmp_path)
    # decay = min(0.998, (1 + 1) / (10 + 1)), and the average began at zero.
    assert result.metrics["weight"] == pytest.approx(0.1 * (1 - 2 / 11), rel=1e-3)


def test_a_cut_run_saves_and_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=3), QUIET, tmp_path)
    second = Line()
    result = train(second, replace(QUIET, steps=2), tmp_path)
    assert result.step == 5
    assert [progress.step for progress in second.seen] == [3, 4]


def test_resumed_weights_are_those_that_were_saved(tmp_path):
    first = Line()
    train(first, QUIET, tmp_path)
    second = Line()
    train(second, replace(QUIET, steps=0), tmp_path)
    assert torch.equal(first.module.weight, second.module.weight)


def test_without_resume_a_run_begins_anew(tmp_path):
    train(Line(), QUIET, tmp_path)
    assert train(Line(), replace(QUIET, steps=1), tmp_path, resume=False).step == 1


def test_checkpoint_of_another_recipe_is_refused(tmp_path):
    train(Line(), QUIET, tmp_path)
    other = Line()
    other.modules = {"line": nn.Linear(2, 2)}
    with pytest.raises(UserError, match="does not belong"):
        train(other, QUIET, tmp_path)


def test_steps_with_endless_gradients_are_left_out(tmp_path):
    recipe = Line(target=float("inf"))
    train(recipe, replace(QUIET, steps=2), tmp_path)
    assert recipe.module.weight.item() == 0.0


class Drawing(Line):
    """Figures that come and go, and gradients that the recipe sends backward itself."""

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        assert all(p.grad is None for p in self.module.parameters())
        loss, figures = super().loss(progress, generator)
        (3 * loss).backward(retain_graph=True)
        if progress.step % 2:
            figures["odd"] = float(progress.step)
        return loss, figures


def test_figures_are_averaged_over_the_steps_that_had_them(tmp_path):
    train(Drawing(), replace(QUIET, steps=4, log_every_s=1e9), tmp_path)
    assert _lines(tmp_path)[0]["odd"] == pytest.approx(2.0)


def test_gradients_that_the_recipe_sends_itself_are_kept(tmp_path):
    plain, drawing = Line(), Drawing()
    for recipe in (plain, drawing):
        config = replace(QUIET, steps=1, gradient_clip=1e9, log_every_s=0.0)
        train(recipe, config, tmp_path / type(recipe).__name__)
    norms = [_lines(tmp_path / name)[0]["gradient_norm"] for name in ("Line", "Drawing")]
    assert norms[1] == pytest.approx(4 * norms[0], rel=1e-3)


def test_ranger_can_be_chosen(tmp_path):
    recipe = Line()
    config = replace(QUIET, steps=1, optimiser="ranger", betas=(0.95, 0.999), gradient_clip=1e9)
    train(recipe, config, tmp_path)
    # Its first step is the rate times the gradient, -6, of a bias; a weight of one input has a
    # gradient without spread, which is removed.
    assert recipe.module.bias.item() == pytest.approx(0.6, rel=1e-5)
    assert recipe.module.weight.item() == 0.0
    resumed = train(recipe, replace(config, steps=1), tmp_path)
    assert resumed.step == 2
    assert resumed.is_main


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"words", None])
def test_a_checkpoint_that_is_none_is_refused(tmp_path, content):
    train(Line(), replace(QUIET, steps=1), tmp_path)
    file = tmp_path / "checkpoint.pt"
    if content is None:
        torch.save({**torch.load(file, weights_only=True), "step": None}, file)
    else:
        file.write_bytes(content)
    with pytest.raises(UserError, match="checkpoint.pt does not belong to this recipe"):
        train(Line(), replace(QUIET, steps=2), tmp_path)
