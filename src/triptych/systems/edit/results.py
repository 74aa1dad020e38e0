"""The files that `triptych edit` leaves: portrait, video, mesh, and the head from many sides."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import numpy as np
import torch

from triptych.errors import printable
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.photos.photo import read_photo
from triptych.portrait import Portrait
from triptych.progress import Progress
from triptych.runs.portrait_results import PORTRAIT_FILE, save_portrait_files
from triptych.systems.edit.pipeline import Edited
from triptych.systems.edit.prompt import Prompt

INPUT_FILE, VIEWS_FILE = "input.png", "views.png"
_PUBLISHED_YAWS_DEG = (-30.0, 0.0, 30.0)
_MORE_DEG = ((-45.0, 0.0), (-15.0, 0.0), (15.0, 0.0), (45.0, 0.0), (0.0, 20.0))
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def save_edit(edited: Edited, folder: Path, progress: Progress) -> dict[str, float]:
    """Write everything but `run.json`.

    Returns:
        Seconds spent on each file, by name.
    """
    started = time.monotonic()
    save_png(folder / INPUT_FILE, colour_picture(edited.photo[0]))
    save_png(folder / VIEWS_FILE, views_sheet(edited))
    seconds = {"sheets": round(time.monotonic() - started, 2)}
    return seconds | save_portrait_files(edited.portrait, folder, progress)


def views_sheet(edited: Edited) -> np.ndarray:
    """Return input, prompt and the head at -30, 0 and 30 degrees, then from other sides."""
    portrait = edited.portrait
    size = portrait.picture_size
    published = torch.tensor(_PUBLISHED_YAWS_DEG).deg2rad()
    front = view_pictures(portrait, portrait.orbit(published, torch.zeros(len(published))))
    others = view_pictures(portrait, portrait.orbit(*torch.tensor(_MORE_DEG).deg2rad().T))
    rows = [[colour_picture(edited.photo[0]), prompt_picture(edited.prompt, size), *front], others]
    labels = [
        "input, prompt, the head at -30, 0 and 30 degrees",
        "at -45, -15, 15 and 45 degrees, and from above",
    ]
    return picture_sheet(rows, row_labels=labels, cell=size)


def prompt_picture(prompt: Prompt, size: int) -> np.ndarray:
    """Return the reference, or the words on paper, as pixels uint8 [s, s, 3]."""
    if prompt.picture is not None:
        return colour_picture(prompt.picture[0])
    from PIL import Image, ImageDraw, ImageFont

    paper = Image.new("RGB", (size, size), _PAPER)
    letter = max(8, size // 9)
    lines = textwrap.wrap(printable(prompt.title or "as it is"), width=13, max_lines=6)
    ImageDraw.Draw(paper).multiline_text(
        (size // 2, size // 2),
        "\n".join(lines),
        fill=_INK,
        font=ImageFont.load_default(letter),
        anchor="mm",
        align="center",
    )
    return np.asarray(paper)


def sheet_row(folder: Path) -> list[np.ndarray]:
    """Return the input of finished results, then the head from the front and from both sides."""
    portrait = Portrait.load(folder / PORTRAIT_FILE)
    sides = torch.tensor(_PUBLISHED_YAWS_DEG).deg2rad()
    heads = view_pictures(portrait, portrait.orbit(sides, torch.zeros(len(sides))))
    return [read_photo(folder / INPUT_FILE).pixels, *heads]
