"""Rendered heads with their landmarks, one picture at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.avatars.sets.shards import ShardSet
from triptych.training.landmarks.head_landmarks import landmarks_of_shards
from triptych.training.landmarks.windows import Shots
from triptych.training.style_variants import pictures_of


@dataclass(frozen=True)
class HeadSource:
    """Shards with the landmarks [heads, looks, k, 3] of their heads."""

    shards: ShardSet
    landmarks: NDArray[np.float32]

    @classmethod
    def open(cls, folder: str, cache: str, limit: int | None = None) -> HeadSource:
        """Open a folder of shards."""
        shards = ShardSet(folder, limit=limit)
        return cls(shards, landmarks_of_shards(shards, cache))

    def shot(self, head: int, variant: int, view: int, drawn: str | None = None) -> Shots:
        """Return one picture, painted over in a drawn style if one is named."""
        name = str(self.shards.get("variants", head)[variant])
        shown = name if drawn is None else (drawn if variant == 0 else f"{name}+{drawn}")
        alpha = np.asarray(self.shards.get("alpha", head)[view], np.float32) / 255
        return Shots(
            image=pictures_of(self.shards, head, shown, [view]),
            alpha=torch.from_numpy(alpha)[None, None],
            landmarks=torch.from_numpy(self.landmarks[head, variant])[None],
            cam2world=torch.from_numpy(np.array(self.shards.get("cam2world", head)[view]))[None],
        )
