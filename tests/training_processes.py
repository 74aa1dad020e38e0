"""`triptych train` in processes of its own: alone, or several that torchrun starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

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
