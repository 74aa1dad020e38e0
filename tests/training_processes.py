"""Processes that train together: started by torchrun, or one after the other in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from triptych.training.loop import Progress

_PORT = "29619"


def train_in_processes(
    count: int, name: str, run: Path, options: Mapping[str, Any], *, steps: int, loop: str = ""
) -> dict[str, Any]:
    """Train a recipe from its start and return what its checkpoint holds."""
    several = ["torch.distributed.run", "--nproc_per_node", str(count), "--master_port", _PORT]
    launcher = [sys.executable, "-m", *([*several, "-m"] if count > 1 else [])]
    settings = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    command = [*launcher, "triptych", "train", name, "--steps", str(steps), "--run-dir", str(run)]
    command += ["--set", *settings, *loop.split(), "threads=1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["step"] == steps
    return state


def assert_shared_gradients(build: Callable[[], Any], step: int) -> None:
    """Check that the mean gradient of two processes that share a batch is that of one.

    Args:
        build: Makes the recipe, with the same weights every time.
        step: Whose loss is compared.
    """
    one, two = (_mean_gradients(build, step, num_processes) for num_processes in (1, 2))
    assert one.keys() == two.keys()
    for name, gradient in one.items():
        error = (two[name] - gradient).norm()
        assert error <= 1e-4 * gradient.norm() + 1e-7, name


def _mean_gradients(
    build: Callable[[], Any], step: int, num_processes: int
) -> dict[str, torch.Tensor]:
    total: dict[str, torch.Tensor] = {}
    for process in range(num_processes):
        recipe, rng = build(), torch.Generator().manual_seed(3)
        loss, _ = recipe.loss(Progress(step, 0.0, process, num_processes), rng)
        loss.backward()
        for part, module in recipe.modules.items():
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    gained = parameter.grad / num_processes
                    key = f"{part}.{name}"
                    total[key] = total[key] + gained if key in total else gained
    return total
