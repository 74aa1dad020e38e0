"""The rasteriser, shadow maps and the resolve pass against numbers derived by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from triptych.avatars.geometry import materials
from triptych.avatars.shading.raster import gather_light, rasterise, rasterise_towards, resolve


def _buffers(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    zeros = np.zeros((size, size), np.float32)
    return zeros, np.full((size, size), -1, np.int32), zeros.copy(), zeros.copy()


def _draw(x, y, depth, triangles, size=8, kind=materials.SKIN):
    buffers = _buffers(size)
    rasterise(
        np.array(x, np.float32),
        np.array(y, np.float32),
        1.0 / np.array(depth, np.float32),
        np.array(triangles, np.int32),
        np.full(len(triangles), kind, np.int32),
        np.zeros((len(x), 3), np.float32),
        *buffers,
    )
    return buffers


def test_one_triangle_covers_the_right_pixels():
    # Legs of length 4 at the origin: a pixel centre is inside where column + row + 1 < 4.
    _, owner, _, _ = _draw([0, 4, 0], [0, 0, 4], [1, 1, 1], [[0, 1, 2]])
    rows, columns = np.mgrid[0:8, 0:8]
    np.testing.assert_array_equal(owner == 0, rows + columns + 1 <= 4)


def test_barycentrics_at_equal_depth():
    _, _, first, second = _draw([0, 4, 0], [0, 0, 4], [2, 2, 2], [[0, 1, 2]])
    # At the centre of pixel (row 1, column 1): x = y = 1.5, weights 1 - 3/4, 3/8, 3/8.
    assert first[1, 1] == pytest.approx(0.25)
    assert second[1, 1] == pytest.approx(0.375)


def test_depth_and_barycentrics_are_perspective_correct():
    nearest, _, first, second = _draw([0, 4, 0], [0, 0, 4], [1, 2, 4], [[0, 1, 2]])
    # 1/z is linear on screen: 0.25 * 1 + 0.375 / 2 + 0.375 / 4 = 0.53125.
    assert nearest[1, 1] == pytest.approx(0.53125)
    assert first[1, 1] == pytest.approx(0.25 * 1.0 / 0.53125)
    assert second[1, 1] == pytest.approx(0.375 * 0.5 / 0.53125)


def test_the_nearer_triangle_wins_in_any_order_and_orientation():
    x, y, depth = [0, 8, 0, 0, 0, 8], [0, 0, 8, 0, 8, 0], [3, 3, 3, 2, 2, 2]
    for triangles, winner in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        nearest, owner, _, _ = _draw(x, y, depth, triangles)
        assert owner[1, 1] == winner
        assert nearest[1, 1] == pytest.approx(0.5)


def test_solid_hair_is_closed_and_hair_of_no_solidity_is_open():
    for solid, covered in ((1.0, 10), (0.0, 0)):
        buffers = _buffers(8)
        rasterise(
            np.array([0, 4, 0], np.float32),
            np.array([0, 0, 4], np.float32),
            np.ones(3, np.float32),
            np.array([[0, 1, 2]], np.int32),
            np.array([materials.HAIR_SHELL], np.int32),
            np.array([[0.3, 0.9, solid]] * 3, np.float32),
            *buffers,
        )
        assert (buffers[1] >= 0).sum() == covered


def test_a_shadow_map_holds_the_highest_point():
    square = np.array([[-1, -1, 0.3], [1, -1, 0.3], [1, 1, 0.3], [-1, 1, 0.3]], np.float32)
    heights = np.full((8, 8), -9.0, np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    rasterise_towards(square, triangles, np.eye(3, dtype=np.float32), 2.0, heights)
    # Two pixels per unit: the square covers columns and rows 2..5 of 8.
    np.testing.assert_allclose(heights[2:6, 2:6], 0.3)
    assert (heights == -9.0).sum() == 64 - 16


def test_light_reaches_what_lies_above_the_map_only():
    heights = np.full((8, 8), 0.3, np.float32)
    points = np.array([[0, 0, 0.5], [0, 0, 0.0]], np.float32)
    normals = np.array([[0, 0, 1], [0, 0, 1]], np.float32)
    wrap = np.array([[0.0, 0.5, 1.0]] * 2, np.float32)
    irradiance, openness = np.zeros((2, 3)), np.zeros(2)
    gather_light(
        points, normals, np.eye(3, dtype=np.float32), 2.0, heights, 0.01, wrap,
        np.array([1.0, 2.0, 3.0]), irradiance, openness,
    )  # fmt: skip
    np.testing.assert_allclose(irradiance, [[1, 2, 3], [0, 0, 0]])
    np.testing.assert_allclose(openness, [1, 0])


def test_wrapped_light_passes_the_horizon():
    heights = np.full((8, 8), -9.0, np.float32)
    normals = np.array([[1, 0, 0]], np.float32)  # at right angles to the light
    wrap = np.array([[0.0, 0.5, 1.0]], np.float32)
    irradiance, openness = np.zeros((1, 3)), np.zeros(1)
    gather_light(
        np.zeros((1, 3), np.float32), normals, np.eye(3, dtype=np.float32), 2.0, heights, 0.01,
        wrap, np.ones(3), irradiance, openness,
    )  # fmt: skip
    np.testing.assert_allclose(irradiance, [[0, 1 / 3, 1 / 2]], atol=1e-6)
    assert openness[0] == 0.0


def test_resolve_averages_light_depth_and_votes_for_regions():
    colour = np.zeros((2, 2, 3), np.float32)
    owner = np.array([[0, 0], [0, -1]], np.int32)
    nearest = np.array([[1 / 2, 1 / 3], [1 / 4, 0]], np.float32)
    region = np.array([[3, 5], [5, 0]], np.uint8)
    rgb, alpha = np.empty((1, 1, 3), np.uint8), np.empty((1, 1), np.float32)
    depth, regions = np.empty((1, 1), np.float32), np.empty((1, 1), np.uint8)
    resolve(colour, region, owner, nearest, 2, 191 / 255, rgb, alpha, depth, regions)
    assert alpha[0, 0] == pytest.approx(0.75)
    assert depth[0, 0] == pytest.approx(3.0)
    assert regions[0, 0] == 5
    assert tuple(rgb[0, 0]) == (48, 48, 48)  # black covers three quarters of grey 191


def test_an_empty_pixel_is_exactly_the_background():
    rgb, alpha = np.empty((1, 1, 3), np.uint8), np.empty((1, 1), np.float32)
    depth, regions = np.empty((1, 1), np.float32), np.empty((1, 1), np.uint8)
    resolve(
        np.zeros((1, 1, 3), np.float32), np.zeros((1, 1), np.uint8), np.full((1, 1), -1, np.int32),
        np.zeros((1, 1), np.float32), 1, 191 / 255, rgb, alpha, depth, regions,
    )  # fmt: skip
    assert tuple(rgb[0, 0]) == (191, 191, 191)
    assert (alpha[0, 0], depth[0, 0], regions[0, 0]) == (0.0, 0.0, 0)
