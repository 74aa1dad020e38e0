"""Catmull-Clark on a cube and on a single square, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.avatars.geometry.mesh import compact, smooth_step, triangulate, vertex_normals
from triptych.avatars.geometry.subdivision import catmull_clark

CORNERS = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
FACES = np.array(
    [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
)


def test_a_cube_becomes_the_known_rounded_cube():
    step = catmull_clark(FACES, 8)
    finer = step.matrix @ CORNERS
    assert finer.shape == (8 + 12 + 6, 3)
    assert step.quads.shape == (24, 4)
    # Corner of valence 3: (F + 2 R + 0 P) / 3, with F = mean of three face centres = 1/3 and
    # R = mean of three edge midpoints = 2/3 in every coordinate: (1/3 + 4/3) / 3 = 5/9.
    np.testing.assert_allclose(np.abs(finer[:8]), 5.0 / 9.0)
    # Edge point: mean of two ends and two face centres: (1+1+1+0)/4 = 3/4 twice, 0 along the edge.
    np.testing.assert_allclose(np.sort(np.abs(finer[8:20]), axis=1), [[0.0, 0.75, 0.75]] * 12)
    np.testing.assert_allclose(np.sort(np.abs(finer[20:]), axis=1), [[0.0, 0.0, 1.0]] * 6)


def test_finer_quads_keep_the_orientation():
    step = catmull_clark(FACES, 8)
    finer, triangles = step.matrix @ CORNERS, triangulate(step.quads)
    corner = finer[triangles]
    outwards = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert (np.sum(outwards * corner.mean(axis=1), axis=1) > 0).all()


def test_the_border_of_a_square_follows_the_b_spline_rule():
    step = catmull_clark(np.array([[0, 1, 2, 3]]), 4)
    square = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], float)
    finer = step.matrix @ square
    # Corner: half itself plus a quarter of each border midpoint (2, 0) and (0, 2).
    np.testing.assert_allclose(finer[0], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(finer[-1], [2.0, 2.0, 0.0])


def test_rows_are_affine_combinations():
    rows = np.asarray(catmull_clark(FACES, 9).matrix.sum(axis=1)).ravel()
    np.testing.assert_allclose(rows, 1.0)  # also for the unused ninth vertex


def test_a_quad_with_a_repeated_corner_is_one_triangle():
    assert len(triangulate(np.array([[0, 1, 2, 2], [0, 1, 2, 3]]))) == 3


def test_compact_renumbers_used_vertices():
    used, faces = compact(np.array([[7, 3, 9]]), 10)
    np.testing.assert_array_equal(used, [3, 7, 9])
    np.testing.assert_array_equal(faces, [[1, 0, 2]])


def test_cube_normals_point_along_the_diagonals():
    normals = vertex_normals(catmull_clark(FACES, 8).matrix @ CORNERS, _finer_triangles())
    np.testing.assert_allclose(normals[:8], CORNERS / np.sqrt(3.0), atol=1e-12)


def _finer_triangles() -> np.ndarray:
    return triangulate(catmull_clark(FACES, 8).quads)


def test_smooth_step_rises_and_falls():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smooth_step(0.0, 1.0, values), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smooth_step(1.0, 0.0, values), [1, 1, 0.5, 0, 0])
    assert smooth_step(0.0, 1.0, np.array(0.25)) == pytest.approx(0.15625)
