"""Windows of a picture against the function that the picture samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triptych.photos.detectors.window import Window, cut_window

WIDTH, HEIGHT = 400, 300


def colour(x, y):
    return np.stack(
        [128 + 100 * np.sin(x / 37), 128 + 100 * np.cos(y / 29), 128 + 60 * np.sin((x + y) / 50)],
        axis=-1,
    )


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return np.uint8(np.round(colour(x, y)))


def places(window, size):
    steps = (np.arange(size) + 0.5) / size - 0.5
    return window.to_picture(np.stack(np.meshgrid(steps, steps), axis=-1))


@pytest.mark.parametrize(
    ("window", "size"),
    [
        (Window(200, 150, 120), 96),
        (Window(180.3, 140.7, 151.2, 0.5), 96),
        (Window(200, 150, 30, -2.0), 96),
        (Window(200.2, 150.6, 130, 0.3), 16),
        (Window(200.2, 150.6, 190, 0.0), 12),
        (Window(200, 150, 90, math.pi), 40),
    ],
)
def test_a_window_shows_what_lies_there(picture, window, size):
    cut = cut_window(picture, window, size)
    assert cut.shape == (size, size, 3)
    where = places(window, size)
    error = np.abs(cut - colour(where[..., 0], where[..., 1]))
    assert error.mean() < 1.5
    assert error.max() < 9


def test_to_window_undoes_to_picture():
    window = Window(17.0, -4.0, 33.0, 0.7)
    points = np.array([[0.1, -0.4], [0.5, 0.5]])
    assert window.to_window(window.to_picture(points)) == pytest.approx(points)


def test_a_positive_roll_turns_the_window_clockwise():
    # a quarter turn clockwise brings the window's right edge to the picture's lower side
    window = Window(50.0, 50.0, 20.0, math.pi / 2)
    assert window.to_picture(np.array([0.5, 0.0])) == pytest.approx([50.0, 60.0])


def test_outside_the_picture_is_fill_and_the_edge_is_sharp():
    cut = cut_window(np.full((50, 50, 3), 200, np.uint8), Window(0, 0, 40), 40, fill=7)
    assert (cut[:20] == 7).all()
    assert (cut[20:, :20] == 7).all()
    assert (cut[20:, 20:] == 200).all()


def test_a_window_far_outside_is_all_fill():
    assert (cut_window(np.zeros((9, 9, 3), np.uint8), Window(500, 500, 40, 0.3), 8, 91) == 91).all()


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_fine_patterns_do_not_alias(roll):
    y, x = np.mgrid[0:600, 0:600]
    board = np.repeat(np.uint8(255 * ((x + y) % 2))[..., None], 3, axis=2)
    cut = cut_window(board, Window(300, 300, 400, roll), 40)
    assert np.abs(cut.astype(int) - 127).max() < 8


def test_a_window_of_a_large_picture_does_not_touch_the_rest():
    large = np.zeros((6000, 6000, 3), np.uint8)
    large[3000:3010, 3000:3010] = 255
    assert cut_window(large, Window(3005, 3005, 10), 10).min() == 255


@pytest.mark.parametrize(
    ("window", "share"),
    [(Window(200, 150, 100), 0.0), (Window(0, 150, 100), 0.5), (Window(0, 0, 100), 0.75)],
)
def test_share_outside(window, share):
    assert window.share_outside(WIDTH, HEIGHT) == pytest.approx(share, abs=0.02)
