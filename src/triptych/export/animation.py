"""Pictures into an animation that pages and chats show without a player: GIF or WebP."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from triptych.errors import UserError
from triptych.ops.colour import check_pixels

_WEBP_QUALITY = 85


def save_animation(path: Path, frames: Iterable[np.ndarray], fps: int) -> None:
    """Write pictures as an animation that runs for ever.

    Args:
        path: File to write, .gif or .webp.
        frames: Pictures uint8 [h, w, 3] of one size; all are in memory at once.
        fps: Frames per second; a GIF counts in hundredths of a second.

    Raises:
        UserError: There are no frames.
    """
    from PIL import Image

    pictures = []
    for frame in frames:
        check_pixels("frame of an animation", frame)
        pictures.append(Image.fromarray(frame))
    if not pictures:
        raise UserError("an animation needs at least one frame")
    first, *others = pictures
    how = {"save_all": True, "append_images": others, "loop": 0, "duration": round(1000 / fps)}
    if path.suffix.lower() == ".webp":
        first.save(path, "WEBP", quality=_WEBP_QUALITY, **how)
    else:
        first.save(path, "GIF", optimize=False, **how)
