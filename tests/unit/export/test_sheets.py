"""Sheets of image rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.export.sheets import picture_sheet, save_image_rows


def test_a_row_per_label_and_a_column_per_image(tmp_path):
    image = torch.zeros(3, 16, 16)
    save_image_rows(tmp_path / "one.png", [[image] * 3], ["first"])
    save_image_rows(tmp_path / "two.png", [[image] * 3] * 2, ["first", "second"])
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert one.width == two.width == 4 + 3 * (16 + 4)
        # A row is a label (11 + 2 * 4), the image and a gap.
        assert two.height - one.height == 19 + 16 + 4


def test_no_rows_make_no_file(tmp_path):
    save_image_rows(tmp_path / "none.png", [], [])
    assert not (tmp_path / "none.png").exists()


def labelled(text: str) -> np.ndarray:
    return picture_sheet([[np.zeros((64, 64, 3), np.uint8)] * 4], row_labels=[text])


@pytest.mark.parametrize("text", ["caf\udce9", "a\x1b[31m", "\x00", "\u202eb", "\U0001f600"])
def test_a_label_may_be_any_text(text):
    assert labelled(text).shape == labelled("plain").shape


def test_a_label_is_one_line():
    assert np.array_equal(labelled("one\ntwo\tthree"), labelled("one two three"))


def test_a_long_label_is_cut_where_the_sheet_ends():
    long = labelled("x" * 100_000)
    assert np.array_equal(long, labelled("x" * 100))
    assert (long[4:20, -8:] == 255).all(), "the label runs over the edge"
    assert (long[4:20, -30:-8] < 255).any(), "the label ends long before the edge"
    assert not np.array_equal(labelled("x" * 10), labelled("x" * 11))
