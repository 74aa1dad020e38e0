"""Frontal pictures of the prior's own heads, rendered once and kept in a folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.camera import frontal_camera
from triptych.files import atomic_write, make_writable_folder
from triptych.models.eg3d import TriPlaneGenerator
from triptych.portrait import TriPlanePortrait
from triptych.weights.safetensors_file import content_hash

logger = logging.getLogger(__name__)

_HEADS_PER_FILE = 100


class FrontalCache:
    """Pictures of heads `first_seed`, `first_seed + 1`, ... in files of a hundred.

    Rendering one picture takes as long as a training step, so each is used many times. A folder
    of an interrupted run is completed; another generator gets files of its own.

    Args:
        folder: Where the files are or will be; made when absent.
        generator: The prior whose heads are shown.
        num_heads: How many heads.
        first_seed: Seed of the first head.
        report: Receives a line now and then; the log when None.
    """

    def __init__(
        self,
        folder: str | Path,
        generator: TriPlaneGenerator,
        num_heads: int,
        first_seed: int,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.first_seed = first_seed
        path = Path(folder)
        make_writable_folder(path)
        # Another generator shows other heads under the same seeds.
        of = content_hash(generator.state_dict())[:8]
        files = []
        for start in range(0, num_heads, _HEADS_PER_FILE):
            stop = min(start + _HEADS_PER_FILE, num_heads)
            file = path / f"front_{of}_{first_seed + start:07d}_{stop - start}.npy"
            if not file.exists():
                _render(file, generator, range(first_seed + start, first_seed + stop))
                (report or logger.info)(f"rendered {stop} of {num_heads} frontal pictures")
            files.append(np.load(file))
        self._pictures = torch.from_numpy(np.concatenate(files))
        seeds = range(first_seed, first_seed + num_heads)
        self._latents = torch.cat([generator.latent(seed).cpu() for seed in seeds])

    def __len__(self) -> int:
        return len(self._pictures)

    def get(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures [b, 3, h, w] in [-1, 1] and latents [b, z_dim] of heads [b]."""
        return self._pictures[heads].float() / 127.5 - 1, self._latents[heads]


@torch.no_grad()
def _render(file: Path, generator: TriPlaneGenerator, seeds: range) -> None:
    camera, pictures = frontal_camera(), []
    for seed in seeds:
        ws = generator.mapping(generator.latent(seed))
        portrait = TriPlanePortrait.from_generator(generator, ws)
        image = portrait.render(camera).image[0]
        pictures.append(((image.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy())
    with atomic_write(file) as stream:
        np.save(stream, np.stack(pictures))
