"""Shards whose original pictures are replaced by renders of the generator.

At inference an editor reads renders of the generator, which are softer than the avatars. In these
shards the original variant is the generator's; the other variants are the avatar's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from triptych.avatars.sets.shards import ORIGINAL, ShardSet, write_heads
from triptych.camera import Camera
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.preview import preview_render
from triptych.ops.colour import to_uint8
from triptych.ops.placement import device_of


def write_prior_renders(
    generator: TriPlaneGenerator,
    shards: ShardSet,
    out: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the heads of shards again; finished shards are kept, so a stopped run continues.

    Args:
        generator: A generator of avatars, whose latents are attribute vectors.
        shards: Rendered avatars whose first variant is the original.
        out: Folder of the new shards; depth and regions are still the avatar's.
        progress: Called with (finished heads, all heads) after each shard.

    Raises:
        UserError: The generator takes other latents than the attributes of the shards, or makes
            pictures of another size.
    """
    _check_fit(generator, shards)
    seeds = shards.all("seeds").tolist()
    write_heads(out, seeds, lambda head: _rendered_by(generator, shards, head), progress)


def _check_fit(generator: TriPlaneGenerator, shards: ShardSet) -> None:
    takes, given = generator.config.z_dim, len(shards.get("attributes", 0))
    if takes != given:
        raise UserError(
            f"the generator takes {takes} numbers, but the heads have {given} attributes; "
            "use a generator that was trained on avatars of this version"
        )
    if generator.config.image_size != shards.size:
        raise UserError(
            f"the generator makes pictures of {generator.config.image_size} pixels a side, but the "
            f"shards have {shards.size}"
        )


def _rendered_by(
    generator: TriPlaneGenerator, shards: ShardSet, head: int
) -> dict[str, np.ndarray]:
    """Return the arrays of a head with picture and alpha rendered by the generator."""
    arrays = shards.head(head)
    assert str(arrays["variants"][0]) == ORIGINAL
    poses, device = torch.from_numpy(arrays["cam2world"]), device_of(generator)
    camera = Camera.with_focal(poses)
    with torch.no_grad():
        ws = generator.mapping(torch.from_numpy(arrays["attributes"])[None].to(device))
    rendered = preview_render(generator, ws, camera.to(device))
    arrays["rgb"][0] = to_uint8(rendered.image).cpu().numpy()
    alpha = rendered.alpha[:, 0].clamp(0, 1).cpu().numpy()
    arrays["alpha"] = (alpha * 255 + 0.5).astype(np.uint8)
    return arrays
