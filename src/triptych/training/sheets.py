"""Sample sheets: rows of pictures of a network in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from triptych.files import atomic_path

_CAPTION_HEIGHT = 12


def save_sheet(rows: Sequence[Tensor], path: str | Path, captions: Sequence[str] = ()) -> None:
    """Save rows of pictures as one PNG.

    Args:
        rows: Pictures [n,3,h,w] in [-1,1]; every row has the same n, h and w.
        path: File to write.
        captions: One short line over each column; none when empty.
    """
    from PIL import Image, ImageDraw

    grid = torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)
    values = ((grid.detach().float().clamp(-1, 1) + 1) * 127.5).round().byte()
    sheet = Image.fromarray(values.permute(1, 2, 0).cpu().numpy())
    if captions:
        tall = Image.new("RGB", (sheet.width, sheet.height + _CAPTION_HEIGHT), "white")
        tall.paste(sheet, (0, _CAPTION_HEIGHT))
        pen, step = ImageDraw.Draw(tall), rows[0].shape[-1]
        for column, caption in enumerate(captions):
            pen.text((column * step + 2, 0), caption, fill="black")
        sheet = tall
    with atomic_path(path) as temporary:
        sheet.save(temporary)
