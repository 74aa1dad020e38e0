"""Sheets: pictures side by side in labelled rows."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from triptych.arguments import checked
from triptych.errors import UserError, check_whole, printable
from triptych.export.pictures import colour_picture, save_png
from triptych.ops.colour import check_pixels

LARGEST_CELL = 4096
MOST_ROWS = 80
"""Rows beyond it are not on a sheet of image rows."""

_PAPER = (255, 255, 255)
_INK = (40, 40, 40)
_GAP = 4


@checked
def picture_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    cell: int | None = None,
) -> np.ndarray:
    """Arrange pictures in rows on white paper.

    Args:
        rows: Square pictures uint8 [h, h, 3]; rows may differ in length.
        row_labels: One text per row, written above it.
        column_labels: One text per column, written at the top.
        cell: Side of every picture on the sheet; the largest one's own side by default.

    Returns:
        Pixels uint8 [height, width, 3].
    """
    from PIL import Image, ImageDraw

    pictures = [picture for row in rows for picture in row]
    if not pictures:
        raise UserError("a sheet needs at least one picture")
    if row_labels is not None and len(row_labels) != len(rows):
        raise UserError(f"row labels: got {len(row_labels)}; expected {len(rows)}")
    for picture in pictures:
        check_pixels("picture of a sheet", picture)
    if cell is not None:
        check_whole("cell", cell, 1, LARGEST_CELL)
    side = cell or max(picture.shape[0] for picture in pictures)
    font_size = max(11, side // 10)
    label_height = font_size + 2 * _GAP
    columns = max(map(len, rows))
    top = _GAP + (label_height if column_labels else 0)
    row_height = side + _GAP + (label_height if row_labels else 0)
    size = (_GAP + columns * (side + _GAP), top + len(rows) * row_height)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)

    def write(text: str, x: int, y: int, width: int) -> None:
        pen.text((x, y), _fitting(text, width, font_size), fill=_INK, font=_font(font_size))

    for column, label in enumerate(column_labels or ()):
        write(label, _GAP + column * (side + _GAP), _GAP, side)
    for index, row in enumerate(rows):
        y = top + index * row_height
        if row_labels:
            write(row_labels[index], _GAP, y, size[0] - 2 * _GAP)
            y += label_height
        for column, picture in enumerate(row):
            sheet.paste(_resized(picture, side), (_GAP + column * (side + _GAP), y))
    return np.asarray(sheet)


def wrapped(
    rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str]
) -> tuple[list[list[np.ndarray]], list[str]]:
    """Set short rows of a long sheet side by side, so that it is about as wide as high."""
    longest = max(map(len, rows), default=1)
    together = max(1, round(math.sqrt(len(rows) / longest)))
    starts = range(0, len(rows), together)
    joined = [
        [picture for row in rows[start : start + together] for picture in row] for start in starts
    ]
    return joined, [", ".join(labels[start : start + together]) for start in starts]


@checked
def save_image_rows(
    path: str | Path,
    rows: Sequence[Sequence[Tensor]],
    labels: Sequence[str],
    column_labels: Sequence[str] | None = None,
) -> None:
    """Save a sheet of images, at most 80 rows; nothing when there are none.

    Args:
        path: File to be (.png).
        rows: Images [3, h, h] in [-1, 1]; rows may differ in length.
        labels: One text per row.
        column_labels: One text per column.
    """
    if not rows:
        return
    pictures = [[colour_picture(image) for image in row] for row in rows[:MOST_ROWS]]
    labels = list(labels[:MOST_ROWS])
    save_png(path, picture_sheet(pictures, row_labels=labels, column_labels=column_labels))


def _resized(picture: np.ndarray, side: int):  # type: ignore[no-untyped-def]
    from PIL import Image

    image = Image.fromarray(picture)
    return (
        image
        if image.size == (side, side)
        else image.resize((side, side), Image.Resampling.BICUBIC)
    )


def _font(size: int):  # type: ignore[no-untyped-def]
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _fitting(text: str, width: int, font_size: int) -> str:
    """Cut a text to one line, with an ellipsis, of what fits into a width in pixels."""
    font = _font(font_size)
    line = printable(" ".join(text[: 2 * width].split()))  # no letter is half a pixel wide
    if len(text) <= 2 * width and font.getlength(line) <= width:
        return line
    longest = bisect.bisect_right(
        range(1, len(line) + 1), width, key=lambda n: font.getlength(line[:n] + "...")
    )
    return line[:longest] + "..."
