"""Access to the 3dpsp_small reference numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_numbers(shared: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file by key: `sd/` weights, `in/` inputs, `out/` outputs, `meta/`."""
    with np.load(shared / "fixtures" / "3dpsp_small" / f"{name}.npz") as file:
        return {key: file[key] for key in file}
