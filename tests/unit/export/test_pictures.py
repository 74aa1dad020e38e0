"""Pictures of colour, depth and normals, and sheets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.camera import frontal_camera, look_at_camera
from triptych.errors import UserError
from triptych.export.pictures import (
    colour_picture,
    depth_picture,
    normal_picture,
    save_png,
    surface_normals,
    view_pictures,
)
from triptych.export.sheets import picture_sheet, wrapped
from triptych.portrait import View


def plain(value: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_colours_span_the_bytes():
    image = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1).expand(3, 2, 5)
    pixels = colour_picture(image)
    assert pixels.shape == (2, 5, 3)
    assert pixels[0, 0].tolist() == [0, 128, 255]


def test_near_is_bright_far_is_dark_and_nothing_is_black():
    depth = torch.tensor([[2.0, 2.5], [3.0, 9.0]])[None, None]
    alpha = torch.tensor([[1.0, 1.0], [1.0, 0.0]])[None, None]
    image = torch.zeros(1, 3, 2, 2)
    grey = depth_picture(View(image, image, depth, alpha))[..., 0]
    assert grey[0, 0] == 255
    assert 255 > grey[0, 1] > grey[1, 0] == 60
    assert grey[1, 1] == 0


def test_an_empty_view_has_a_black_depth_picture():
    image, zeros = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    assert not depth_picture(View(image, image, zeros, zeros)).any()


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.6, -0.3)])
def test_normals_of_a_ball_point_away_from_its_centre(ball, yaw, pitch):
    camera = look_at_camera(yaw, pitch, target=(0.0, 0.0, 0.0))
    view = ball.render(camera, 96)
    normals = surface_normals(view, camera)
    assert float(normals[48, 48, 2]) > 0.99
    apparent = 4.2647 * 0.3 / math.sqrt(2.7**2 - 0.3**2)
    column = round(48 + 0.5 * apparent * 96)
    right = normals[48, column]
    assert float(right[0]) == pytest.approx(0.5, abs=0.1)
    assert abs(float(right[1])) < 0.1
    assert float(normals[96 - column, 48, 1]) == pytest.approx(0.5, abs=0.1)


def test_the_normal_picture_is_coloured_as_normal_maps_are(ball):
    camera = frontal_camera()
    pixels = normal_picture(ball.render(camera, 64), camera)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[32, 32, 2] > 250
    assert pixels[32, 50, 0] > 160 > 95 > pixels[32, 14, 0]
    assert pixels[14, 32, 1] > 160 > 95 > pixels[50, 32, 1]


def test_a_png_comes_back(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    save_png(tmp_path / "a.png", pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)


def test_view_pictures_are_one_per_camera(toy_portrait):
    pictures = view_pictures(toy_portrait, look_at_camera(torch.tensor([0.0, 0.3]), 0.0), 16)
    assert [picture.shape for picture in pictures] == [(16, 16, 3)] * 2


def test_a_sheet_without_labels_is_pictures_and_gaps():
    sheet = picture_sheet([[plain(10), plain(20)], [plain(30)]])
    assert sheet.shape == (4 + 2 * 36, 4 + 2 * 36, 3)
    assert sheet[20, 20, 0] == 10
    assert sheet[20, 56, 0] == 20
    assert sheet[56, 20, 0] == 30
    assert sheet[56, 56, 0] == 255


def test_labels_make_room_and_ink():
    bare = picture_sheet([[plain(255)]])
    labelled = picture_sheet([[plain(255)]], row_labels=["a row"], column_labels=["a column"])
    assert labelled.shape[0] > bare.shape[0]
    assert labelled.shape[1] == bare.shape[1]
    assert bare.min() == 255
    assert labelled.min() < 100


def test_long_labels_stay_on_the_sheet():
    sheet = picture_sheet([[plain(255, 128)]], row_labels=["word " * 50])
    assert sheet.shape[1] == 136
    assert sheet[:, -4:].min() == 255


def test_pictures_are_brought_to_one_size():
    sheet = picture_sheet([[plain(10, 16), plain(20, 64)]], cell=32)
    assert sheet.shape == (40, 76, 3)
    assert sheet[20, 20, 0] == 10
    assert sheet[20, 56, 0] == 20


def test_many_short_rows_are_set_side_by_side():
    rows = [[plain(10 * head)] * 3 for head in range(13)]
    joined, labels = wrapped(rows, [f"seed {head}" for head in range(13)])
    assert [len(row) for row in joined] == [6] * 6 + [3]
    assert [row[0][0, 0, 0] for row in joined] == [0, 20, 40, 60, 80, 100, 120]
    assert labels[0] == "seed 0, seed 1"
    assert labels[-1] == "seed 12"


def test_a_few_rows_stay_below_each_other():
    rows = [[plain(0)] * 3] * 4
    assert wrapped(rows, list("abcd")) == (rows, list("abcd"))


@pytest.mark.parametrize(("rows", "labels"), [([], None), ([[]], None), ([[plain(0)]], ["a", "b"])])
def test_sheets_that_cannot_be_are_refused(rows, labels):
    with pytest.raises(UserError):
        picture_sheet(rows, row_labels=labels)
