"""Records in `run.json`: version, machine, models with hashes, time."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import triptych
from triptych.files import sha256_of
from triptych.runs.device import device_name
from triptych.weights.registry import MODELS, find_present, weight_file

if TYPE_CHECKING:
    import torch


def model_record(name_or_path: str | Path, kind: str) -> dict[str, str]:
    """Return a model's name and hash.

    Raises:
        UserError: There is no such model, or it is not on this machine.
    """
    if name_or_path in MODELS:
        find_present(str(name_or_path), kind)
        return {"name": str(name_or_path), "sha256": MODELS[str(name_or_path)].sha256()}
    return {"name": str(name_or_path), "sha256": sha256_of(weight_file(name_or_path, kind))}


def run_record(started: float, device: torch.device) -> dict[str, Any]:
    """Return version, machine, device and time of a run.

    Args:
        started: When it began, by `time.monotonic()`.
        device: Where its networks computed.
    """
    import torch

    return {
        "triptych": triptych.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "device": device_name(device),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 3),
    }


def seconds_of_parts(started: float, *parts: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of the parts of a run, and those in all since `time.monotonic()`."""
    named = {name: seconds for part in parts for name, seconds in part.items()}
    return {**named, "total": round(time.monotonic() - started, 2)}


def file_record(path: Path) -> list[Any]:
    """Return path, size and time of change of a file, which identify its version."""
    found = path.stat()
    return [str(path), found.st_size, found.st_mtime]
