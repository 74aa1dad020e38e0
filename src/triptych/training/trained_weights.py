"""Writing what a training left as a weight file that says where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from triptych.training.loop import Recipe, TrainingResult
from triptych.weights.safetensors_file import save_module


def save_trained(
    recipe: Recipe, result: TrainingResult, module: str, out: str | Path, **provenance: Any
) -> None:
    """Write an averaged module as a self-describing fp16 weight file.

    Args:
        recipe: What was trained.
        result: What the training left.
        module: Name of the module.
        out: File to be.
        provenance: What else the file shall say of its making, as JSON values.
    """
    averaged: Any = result.averaged[module]
    told = {"recipe": recipe.name, "steps": result.step, **provenance}
    save_module(out, averaged, dtype=torch.float16, provenance=told, metrics=result.metrics)
