"""A tiny image editor, and small avatar shards of made-up pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy_editor

from triptych.avatars.sets.shards import write_shard
from triptych.camera import frontal_camera

MadeUpShards = Callable[..., Path]


def _smooth_picture(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random picture without sharp edges [size,size,3] uint8."""
    coarse = torch.from_numpy(rng.random((1, 3, 5, 5), dtype=np.float32))
    fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)
    return (fine[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255).astype(np.uint8)


def _head(seed: int, variants: Sequence[str], views: int, size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    pictures = [_smooth_picture(rng, size) for _ in range(len(variants) * views)]
    regions = np.ones((views, size, size), np.uint8)
    regions[:, size // 3 : size // 3 + 3, size // 4 : size // 4 + 6] = 2
    return {
        "seeds": np.int64(seed),
        "attributes": np.zeros(4, np.float32),
        "cam2world": np.tile(frontal_camera().cam2world[0].numpy(), (views, 1, 1)),
        "variants": np.array(variants, dtype="<U48"),
        "rgb": np.stack(pictures).reshape(len(variants), views, size, size, 3),
        "alpha": np.full((views, size, size), 255, np.uint8),
        # The whole picture is matter, within the cube of the generators that learn from it.
        "depth": np.full((views, size, size), 2.5, np.float16),
        "regions": regions,
    }


@pytest.fixture(scope="session")
def made_up_shards(tmp_path_factory: pytest.TempPathFactory) -> MadeUpShards:
    """Write shards and return their folder."""

    def write(
        first_seed: int,
        variants: Sequence[str] = ("original", "bronze", "elf", "old+elf"),
        *,
        heads: int = 3,
        views: int = 2,
        size: int = 32,
    ) -> Path:
        folder = tmp_path_factory.mktemp("shards")
        made = [_head(first_seed + i, variants, views, size) for i in range(heads)]
        write_shard(folder / f"shard_{first_seed:07d}", made)
        return folder

    return write


@pytest.fixture(scope="session")
def tiny_editor_parts() -> SimpleNamespace:
    """Random components of a tiny InstructPix2Pix; see `toy_editor`."""
    return toy_editor.tiny_editor_parts()
