"""Latents of all variants of all heads: the training data of the editor, cached on disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.files import atomic_path, sha256_of
from triptych.ops.placement import device_of
from triptych.ops.precision import half_precision_where_fast
from triptych.training.style_variants import (
    drawable_variants,
    drawn_styles,
    pictures_of,
    rendered_variants,
)

logger = logging.getLogger(__name__)

_HEADS_PER_FILE = 50
_ENCODED_AT_ONCE = 32


@dataclass(frozen=True)
class EncodingPlan:
    """Pictures of a head that are encoded in addition to its rendered variants.

    Attributes:
        filtered_views: Cameras whose original picture is put under every picture filter.
        filtered_combinations: Pictures per head of a rendered variant under a picture filter.
    """

    filtered_views: int = 2
    filtered_combinations: int = 2


@dataclass(frozen=True)
class LatentPairs:
    """Encoded pictures and the pairs among them.

    Attributes:
        latents: Unscaled latents [m,c,h,w] float16.
        source: Index of the plain picture of each pair [p].
        target: Index of the picture of the same head and camera in another variant [p].
        variants: Variant of the target, one name per pair.
    """

    latents: Tensor
    source: Tensor
    target: Tensor
    variants: list[str]

    def by_variant(self) -> dict[str, np.ndarray]:
        """Return the numbers of the pairs of each variant."""
        names = np.array(self.variants)
        return {str(variant): np.flatnonzero(names == variant) for variant in np.unique(names)}


def encode_shards(
    sets: Sequence[ShardSet],
    vae: Any,
    vae_folder: str | Path,
    cache: str | Path,
    plan: EncodingPlan,
) -> LatentPairs:
    """Encode the pictures of shards, or read the cached latents.

    A stopped run continues with the remaining heads. Each autoencoder and plan has its own files.

    Args:
        sets: Rendered heads.
        vae: The autoencoder, in evaluation mode.
        vae_folder: Its folder, which identifies it.
        cache: Folder of the encoded files.
        plan: Which pictures to encode.
    """
    digest = sha256_of(Path(vae_folder) / "diffusion_pytorch_model.safetensors")
    folder = Path(cache) / f"{digest[:12]}_{plan.filtered_views}_{plan.filtered_combinations}"
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[LatentPairs] = []
    for shards in sets:
        for first in range(0, len(shards), _HEADS_PER_FILE):
            heads = range(first, min(first + _HEADS_PER_FILE, len(shards)))
            path = folder / f"{_identity_of(shards, heads)}.npz"
            if not path.exists():
                _encode_heads(shards, heads, vae, path, plan)
                logger.info("encoded heads %d to %d of %d", first, heads[-1], len(shards))
            parts.append(_read(path))
    return _joined(parts)


def _identity_of(shards: ShardSet, heads: range) -> str:
    """Return a name of a group of heads that depends on their renders."""
    digest = hashlib.sha256()
    for head in heads:
        for field in ("seeds", "cam2world", "variants"):
            digest.update(np.ascontiguousarray(shards.get(field, head)).tobytes())
        # Renders of a generator share seed, cameras and variants with those of the avatars.
        digest.update(np.ascontiguousarray(shards.get("rgb", head)[0, 0, ::8, ::8]).tobytes())
    return f"{int(shards.get('seeds', heads[0])):07d}_{digest.hexdigest()[:12]}"


def _encode_heads(shards: ShardSet, heads: range, vae: Any, path: Path, plan: EncodingPlan) -> None:
    latents, keys = [], []
    for head in heads:
        pictures = []
        for variant, views in _variants_to_encode(shards, head, plan):
            pictures.append(pictures_of(shards, head, variant, views))
            keys += [(head, view, variant) for view in views]
        latents.append(encode(vae, torch.cat(pictures)).to(torch.float16))
    where = {key: index for index, key in enumerate(keys)}
    changed = [key for key in keys if key[2] != ORIGINAL]
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            latents=torch.cat(latents).numpy(),
            source=np.array([where[head, view, ORIGINAL] for head, view, _ in changed], np.int64),
            target=np.array([where[key] for key in changed], np.int64),
            variants=np.array([variant for _, _, variant in changed], dtype="<U96"),
        )


def _variants_to_encode(
    shards: ShardSet, head: int, plan: EncodingPlan
) -> list[tuple[str, list[int]]]:
    """Return variants and the cameras to encode each from; no variant twice per camera."""
    rng = np.random.default_rng([41, int(shards.get("seeds", head))])
    all_views = list(range(shards.num_views))
    rendered = rendered_variants(shards, head)
    planned = [(variant, all_views) for variant in rendered]
    drawn = [style for style in drawn_styles() if style not in rendered]
    planned += [(style, all_views[: plan.filtered_views]) for style in drawn]
    drawable = [variant for variant in drawable_variants(rendered) if variant not in rendered]
    if drawable:
        chosen = rng.choice(drawable, min(plan.filtered_combinations, len(drawable)), replace=False)
        planned += [(str(variant), [int(rng.integers(shards.num_views))]) for variant in chosen]
    return planned


@torch.no_grad()
def encode(vae: Any, images: Tensor) -> Tensor:
    """Return unscaled latents [n,c,h/4,w/4], on the CPU, of images [n,3,h,w] in [-1,1]."""
    parts = []
    for part in images.split(_ENCODED_AT_ONCE):
        part = part.to(device_of(vae)).contiguous(memory_format=torch.channels_last)
        with half_precision_where_fast(part.device):
            parts.append(vae.encode(part).latents.cpu())
    return torch.cat(parts).float()


def _read(path: Path) -> LatentPairs:
    with np.load(path) as stored:
        return LatentPairs(
            latents=torch.from_numpy(stored["latents"]),
            source=torch.from_numpy(stored["source"]),
            target=torch.from_numpy(stored["target"]),
            variants=[str(variant) for variant in stored["variants"]],
        )


def _joined(parts: Sequence[LatentPairs]) -> LatentPairs:
    starts = np.cumsum([0, *(len(part.latents) for part in parts)])
    return LatentPairs(
        latents=torch.cat([part.latents for part in parts]),
        source=torch.cat(
            [part.source + int(start) for part, start in zip(parts, starts, strict=False)]
        ),
        target=torch.cat(
            [part.target + int(start) for part, start in zip(parts, starts, strict=False)]
        ),
        variants=[variant for part in parts for variant in part.variants],
    )
