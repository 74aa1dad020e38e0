"""Rendered avatars on disk as memory-mapped arrays, the data of the training recipes.

A shard is a folder of `.npy` files that share their first axis, the heads (n):

    seeds       [n] int64            attributes [n, ATTRIBUTE_DIM] float32
    cam2world   [n, views, 4, 4]     variants      [n, variants] names; variant 0 is "original"
    rgb         [n, variants, views, size, size, 3] uint8, over the plain background
    alpha       [n, views, size, size] uint8, of the original variant
    depth       [n, views, size, size] float16, camera z of the original variant, 0 where empty
    regions     [n, views, size, size] uint8, of the original variant
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.folder_lock import FolderLock
from triptych.temporaries import temporary_name

if TYPE_CHECKING:
    from triptych.avatars.avatar import AvatarImage
    from triptych.avatars.builder import AvatarBuilder

ORIGINAL = "original"
_FIELDS = ("seeds", "attributes", "cam2world", "variants", "rgb", "alpha", "depth", "regions")
_HEADS_PER_SHARD = 50
_SHARE_OF_PAIRS = 0.15  # weight of all combinations together, relative to the single styles


@dataclass(frozen=True)
class ShardPlan:
    """What to render.

    Attributes:
        first_seed: Seed of the first head; training uses seeds from 100,000.
        num_heads: How many heads, seeds in a row.
        num_views: Cameras per head; the first is nearly frontal.
        num_variants: Variants per head: the original and `num_variants - 1` drawn styles.
        size: Picture size in pixels.
        supersampling: Samples per pixel and axis.
        yaw_range: Largest yaw of a camera in radians.
        pitch_range: Largest pitch of a camera in radians.
        style_weights: How often each style is drawn (name, weight); `default_style_weights` when
            None. A name may join two styles by a plus sign ("old+elf").
    """

    first_seed: int
    num_heads: int
    num_views: int = 6
    num_variants: int = 1
    size: int = 128
    supersampling: int = 2
    yaw_range: float = 0.65
    pitch_range: float = 0.35
    style_weights: tuple[tuple[str, float], ...] | None = None


def write_shards(
    out: str | Path,
    plan: ShardPlan,
    *,
    pack: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render the heads of a plan into shards; finished shards are kept, so a stopped run continues.

    Args:
        out: Folder of the shards.
        plan: What to render.
        pack: Head asset pack; the default places when None.
        progress: Called with (finished heads, all heads) after each shard.
    """
    from triptych.avatars.assets.pack import load_assets
    from triptych.avatars.builder import AvatarBuilder

    builder = AvatarBuilder(load_assets(pack))
    seeds = range(plan.first_seed, plan.first_seed + plan.num_heads)
    write_heads(out, seeds, lambda i: _render_head(builder, plan, seeds[i]), progress)


def write_heads(
    out: str | Path,
    seeds: Sequence[int],
    head: Callable[[int], dict[str, np.ndarray]],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write heads into shards; finished shards are kept, so a stopped run continues.

    Args:
        out: Folder of the shards.
        seeds: Seed of each head; a shard is named by that of its first.
        head: Returns the arrays of the head with an index, from 0.
        progress: Called with (finished heads, all heads) after each shard.

    Raises:
        UserError: Another run writes to the folder.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder):
        for start in range(0, len(seeds), _HEADS_PER_SHARD):
            stop = min(start + _HEADS_PER_SHARD, len(seeds))
            target = folder / f"shard_{seeds[start]:07d}"
            if not target.exists():
                write_shard(target, [head(number) for number in range(start, stop)])
            if progress is not None:
                progress(stop, len(seeds))


def random_cameras(plan: ShardPlan, rng: np.random.Generator) -> np.ndarray:
    """Draw a head's cameras [views, 4, 4]: the first nearly frontal, the others in the ranges."""
    yaw = rng.uniform(-plan.yaw_range, plan.yaw_range, plan.num_views)
    pitch = rng.uniform(-plan.pitch_range, plan.pitch_range, plan.num_views)
    yaw[0], pitch[0] = rng.uniform(-0.15, 0.15), 0.0
    cameras = [
        look_at_camera(float(y), float(p)).cam2world[0] for y, p in zip(yaw, pitch, strict=True)
    ]
    return np.stack([camera.numpy() for camera in cameras]).astype(np.float32)


def draw_variants(plan: ShardPlan, rng: np.random.Generator) -> list[str]:
    """Draw the variants of a head: the original, then different styles by weight."""
    if plan.num_variants == 1:
        return [ORIGINAL]
    weights = dict(plan.style_weights or default_style_weights())
    share = np.array(list(weights.values()))
    names = rng.choice(list(weights), plan.num_variants - 1, replace=False, p=share / share.sum())
    return [ORIGINAL, *map(str, names)]


def default_style_weights() -> tuple[tuple[str, float], ...]:
    """Return how often each style is drawn when a plan does not say.

    Creatures change the shape and are drawn more often. Pictures that are only a filter are left
    out: recipes compute them from rendered variants. About one variant in six combines two styles.
    """
    from triptych.avatars.styles.catalogue import STYLES, combinations

    often = {"material": 1.0, "creature": 1.8, "people": 1.0, "picture": 1.2}
    rendered = {
        name: often[style.kind]
        for name, style in STYLES.items()
        if style.kind != "picture" or name == "cartoon"
    }
    pairs = [f"{a}+{b}" for a, b in combinations() if {a, b} <= rendered.keys() - {"cartoon"}]
    together = _SHARE_OF_PAIRS * sum(rendered.values()) / max(1, len(pairs))
    return (*rendered.items(), *((pair, together) for pair in pairs))


def _render_head(builder: AvatarBuilder, plan: ShardPlan, seed: int) -> dict[str, np.ndarray]:
    from triptych.avatars.people.identity import identity_from_attributes
    from triptych.avatars.styles.catalogue import style_named
    from triptych.models.attributes import (
        attribute_vector,
        attributes_from_latent,
        latent_from_seed,
    )

    rng = np.random.default_rng([20, seed])
    attributes = attributes_from_latent(latent_from_seed(seed))
    identity = identity_from_attributes(attributes, builder.assets.controls)
    cameras, variants = random_cameras(plan, rng), draw_variants(plan, rng)
    pictures: list[np.ndarray] = []
    first: list[AvatarImage] = []
    for variant in variants:
        style = None if variant == ORIGINAL else style_named(variant)
        avatar = builder.build(identity, style)
        shots = [avatar.render(camera, plan.size, plan.supersampling) for camera in cameras]
        pictures.append(np.stack([shot.rgb for shot in shots]))
        first = first or shots
    return {
        "seeds": np.int64(seed),
        "attributes": attribute_vector(attributes),
        "cam2world": cameras,
        "variants": np.array(variants, dtype="<U48"),
        "rgb": np.stack(pictures),
        "alpha": np.stack([np.uint8(shot.alpha * 255 + 0.5) for shot in first]),
        "depth": np.stack([np.float16(shot.depth) for shot in first]),
        "regions": np.stack([shot.regions for shot in first]),
    }


def write_shard(target: Path, heads: Sequence[dict[str, np.ndarray]]) -> None:
    """Write one shard: the fields of each head, under a temporary name until all are there."""
    temporary = temporary_name(target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name in _FIELDS:
        np.save(temporary / f"{name}.npy", np.stack([head[name] for head in heads]))
    temporary.rename(target)


class ShardSet:
    """All shards of a folder as one set of heads.

    Attributes:
        num_heads: Heads in the set.
        num_views: Cameras per head.
        size: Picture size in pixels.
    """

    def __init__(self, folder: str | Path, *, limit: int | None = None) -> None:
        shards = sorted(Path(folder).glob("shard_*"))
        if not shards:
            raise UserError(
                f"no avatar shards in {folder}; "
                f"render some with: triptych data shards --out {folder}"
            )
        self._shards = [
            {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in _FIELDS}
            for shard in shards
        ]
        self._where = [
            (s, i) for s, shard in enumerate(self._shards) for i in range(len(shard["seeds"]))
        ]
        self._where = self._where[:limit]
        self.num_heads = len(self._where)
        self.num_views = int(self._shards[0]["rgb"].shape[2])
        self.size = int(self._shards[0]["rgb"].shape[3])

    def __len__(self) -> int:
        return self.num_heads

    def get(self, name: str, head: int) -> np.ndarray:
        """Return one head's array of a field, still on disk; see the module's table for shapes."""
        shard, index = self._where[head]
        return self._shards[shard][name][index]

    def head(self, head: int) -> dict[str, np.ndarray]:
        """Return all fields of one head in memory."""
        return {name: np.array(self.get(name, head)) for name in _FIELDS}

    def all(self, name: str) -> np.ndarray:
        """Return a small field (seeds, attributes, variants, cam2world) of all heads in memory."""
        return np.stack([self.get(name, head) for head in range(self.num_heads)])
