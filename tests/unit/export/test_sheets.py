"""Sheets of image rows."""

from __future__ import annotations

import torch
from PIL import Image

from triptych.export.sheets import save_image_rows


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
