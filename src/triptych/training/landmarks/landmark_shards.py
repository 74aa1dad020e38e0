"""Shards with the landmarks of every head and variant, which are computed once and cached."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets, load_assets
from triptych.avatars.geometry.landmarks import LANDMARKS, HeadLandmarks
from triptych.avatars.people.appearance import appearance_from_attributes
from triptych.avatars.people.identity import identity_from_attributes
from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.catalogue import style_named
from triptych.files import atomic_write, make_writable_folder
from triptych.models.attributes import attributes_from_latent, latent_from_seed
from triptych.training.landmarks.windows import LandmarkImages
from triptych.training.style_variants import pictures_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandmarkShards:
    """Shards with the landmarks [heads, variants, k, 3] of their heads."""

    shards: ShardSet
    landmarks: NDArray[np.float32]

    @classmethod
    def open(cls, folder: str, cache: str, limit: int | None = None) -> LandmarkShards:
        """Open a folder of shards."""
        shards = ShardSet(folder, limit=limit)
        return cls(shards, landmarks_of_shards(shards, cache))

    def image(self, head: int, variant: int, view: int, drawn: str | None = None) -> LandmarkImages:
        """Return one picture, under a picture filter if a drawn style is named."""
        name = str(self.shards.get("variants", head)[variant])
        shown = name if drawn is None else (drawn if variant == 0 else f"{name}+{drawn}")
        alpha = np.asarray(self.shards.get("alpha", head)[view], np.float32) / 255
        return LandmarkImages(
            image=pictures_of(self.shards, head, shown, [view]),
            alpha=torch.from_numpy(alpha)[None, None],
            landmarks=torch.from_numpy(self.landmarks[head, variant])[None],
            cam2world=torch.from_numpy(np.array(self.shards.get("cam2world", head)[view]))[None],
        )


def landmarks_of_shards(
    shards: ShardSet,
    cache: str | Path,
    *,
    pack: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> NDArray[np.float32]:
    """Return the landmarks [heads, variants, k, 3] of a set in world units.

    The shape of each head is built again from its seed; nothing is rendered.

    Args:
        shards: The rendered heads.
        cache: Folder for the result; each set and list of landmarks has a file of its own.
        pack: Head asset pack; the default places when None.
        report: Receives lines of progress; the log when None.
    """
    seeds, variants = shards.all("seeds"), shards.all("variants")
    folder = Path(cache)
    make_writable_folder(folder)
    file = folder / f"landmarks_{_fingerprint(seeds, variants)}.npy"
    if not file.exists():
        found = _build(seeds, variants, load_assets(pack), report or logger.info)
        with atomic_write(file) as stream:
            np.save(stream, found)
    return np.load(file)


def _fingerprint(seeds: NDArray[np.int64], variants: NDArray[np.str_]) -> str:
    description = repr((LANDMARKS, seeds.tolist(), variants.tolist()))
    return hashlib.sha256(description.encode()).hexdigest()[:12]


def _build(
    seeds: NDArray[np.int64],
    variants: NDArray[np.str_],
    assets: HeadAssets,
    report: Callable[[str], None],
) -> NDArray[np.float32]:
    finder = HeadLandmarks(assets)
    found = np.zeros((*variants.shape, len(LANDMARKS), 3), np.float32)
    for index, (seed, names) in enumerate(zip(seeds, variants, strict=True)):
        attributes = attributes_from_latent(latent_from_seed(int(seed)))
        identity = identity_from_attributes(attributes, assets.controls)
        colours = appearance_from_attributes(attributes)
        plain = finder.of(identity)
        for place, name in enumerate(names):
            if name == ORIGINAL:
                found[index, place] = plain
                continue
            restyled, _ = style_named(str(name)).transform(identity, colours)
            found[index, place] = plain if restyled == identity else finder.of(restyled)
        if index % 500 == 499:
            report(f"landmarks of {index + 1} of {len(seeds)} heads")
    return found
