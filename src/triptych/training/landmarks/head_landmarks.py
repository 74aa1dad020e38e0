"""Landmarks of every head and look in a set of shards, computed once and kept in a folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.avatars.assets.pack import HeadAssets, load_assets
from triptych.avatars.geometry.landmarks import LANDMARKS, HeadLandmarks
from triptych.avatars.people.appearance import appearance_from_attributes
from triptych.avatars.people.identity import identity_from_attributes
from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.catalogue import style_named
from triptych.files import atomic_write, make_writable_folder
from triptych.models.attributes import attributes_from_latent, latent_from_seed

logger = logging.getLogger(__name__)


def landmarks_of_shards(
    shards: ShardSet,
    cache: str | Path,
    *,
    pack: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> NDArray[np.float32]:
    """Return the landmarks [heads, looks, k, 3] of a set in world units.

    The shards hold seeds, and a seed is a head: its shape is built again, its picture is not.

    Args:
        shards: The rendered heads.
        cache: Folder for the result; another set or other landmarks get a file of their own.
        pack: Head asset pack; the default places when None.
        report: Receives a line now and then; the log when None.
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
    said = repr((LANDMARKS, seeds.tolist(), variants.tolist()))
    return hashlib.sha256(said.encode()).hexdigest()[:12]


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
