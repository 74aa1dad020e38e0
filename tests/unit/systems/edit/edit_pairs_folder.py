"""Pairs of noise in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from triptych.camera import look_at_camera


def write_pairs(folder: Path, *, size: int = 64, styles: tuple[str, ...] = ("jade",)) -> Path:
    """Write three originals in one bucket, each edited in every style but the last in one."""
    rng = np.random.default_rng(0)
    labels = []
    for bucket in ("people", *(f"people_{style}" for style in styles)):
        (folder / bucket).mkdir(parents=True)
        for name in ("a", "b", "c"):
            if bucket == f"people_{styles[-1]}" and name == "c" and len(styles) > 1:
                continue
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / bucket / f"{name}.png")
    for number, name in enumerate(("a", "b", "c")):
        camera = look_at_camera(0.1 * number, 0.0).label25()[0].tolist()
        labels.append([f"people/{name}.png", camera])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder
