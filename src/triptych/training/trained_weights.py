"""Weight files of trained networks, with their provenance."""

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
        recipe: The recipe.
        result: Result of the training.
        module: Name of the module.
        out: File to write.
        provenance: Further provenance to store, as JSON values.
    """
    averaged: Any = result.averaged[module]
    record = {"recipe": recipe.name, "steps": result.step, **provenance}
    save_module(out, averaged, dtype=torch.float16, provenance=record, metrics=result.metrics)
