"""Meshes: closed, of one part, of the right size, coloured as rendered."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import trimesh
from toy_portraits import SPHERE_RADIUS

from triptych.errors import UserError
from triptych.export.mesh import Mesh, portrait_mesh, save_mesh
from triptych.export.surface import closed_surface, vertex_normals

RESOLUTION = 48


@pytest.fixture(scope="module")
def ball_mesh(ball) -> Mesh:
    return portrait_mesh(ball, resolution=RESOLUTION)


def as_trimesh(vertices, triangles) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, triangles, process=False)


def distance_grid(n: int = RESOLUTION):
    """Return x, y, z of a grid over a box of side 1."""
    line = np.linspace(-0.5, 0.5, n)
    return np.meshgrid(line, line, line, indexing="ij")


def density_inside(distance: np.ndarray) -> np.ndarray:
    """Return a raw density that is 10 at distance 0 and grows by 50 per unit inwards."""
    return (10 - 50 * distance).astype(np.float32)


def test_the_ball_is_closed_round_and_the_right_way_out(ball_mesh):
    solid = as_trimesh(ball_mesh.vertices, ball_mesh.triangles)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.body_count == 1
    radius = np.linalg.norm(ball_mesh.vertices, axis=1)
    assert radius.mean() == pytest.approx(SPHERE_RADIUS, abs=0.01)
    assert np.ptp(radius) < 0.01
    assert solid.volume == pytest.approx(4 / 3 * np.pi * SPHERE_RADIUS**3, rel=0.1)


def test_normals_point_outside_and_are_unit(ball_mesh):
    outside = ball_mesh.vertices / np.linalg.norm(ball_mesh.vertices, axis=1, keepdims=True)
    assert (outside * ball_mesh.normals).sum(axis=1).min() > 0.99
    assert np.allclose(np.linalg.norm(ball_mesh.normals, axis=1), 1, atol=1e-5)


def test_colours_are_those_of_the_picture(ball_mesh):
    x = ball_mesh.vertices[:, 0]
    assert np.allclose(ball_mesh.colours[x > 0.1], [1.0, 0.5, 0.25], atol=0.02)
    assert np.allclose(ball_mesh.colours[x < -0.1], [0.0, 0.5, 0.25], atol=0.02)


def test_the_level_sits_where_it_is_asked_for():
    x, y, z = distance_grid()
    density = density_inside(np.sqrt(x**2 + y**2 + z**2) - 0.25)
    for level, radius in ((10.0, 0.25), (8.0, 0.29)):
        vertices, _ = closed_surface(density, level, box_size=1.0)
        assert np.linalg.norm(vertices, axis=1) == pytest.approx(radius, abs=0.002)


def test_specks_are_dropped():
    x, y, z = distance_grid()
    ball = np.sqrt(x**2 + y**2 + z**2) - 0.2
    speck = np.sqrt((x - 0.4) ** 2 + (y - 0.4) ** 2 + z**2) - 0.05
    vertices, triangles = closed_surface(density_inside(np.minimum(ball, speck)), 10.0, 1.0)
    assert as_trimesh(vertices, triangles).body_count == 1
    assert np.linalg.norm(vertices, axis=1).max() < 0.21


def test_cavities_are_filled_even_if_the_box_cuts_them_open():
    x, y, z = distance_grid()
    closed_shell = np.abs(np.sqrt(x**2 + y**2 + z**2) - 0.25) - 0.06
    vertices, triangles = closed_surface(density_inside(closed_shell), 10.0, 1.0)
    assert np.linalg.norm(vertices, axis=1).min() > 0.28
    lowered = np.abs(np.sqrt(x**2 + (y + 0.5) ** 2 + z**2) - 0.3) - 0.06
    vertices, triangles = closed_surface(density_inside(lowered), 10.0, 1.0)
    solid = as_trimesh(vertices, triangles)
    assert solid.is_watertight
    assert solid.body_count == 1
    assert solid.volume == pytest.approx(2 / 3 * np.pi * 0.36**3, rel=0.1)


def test_a_solid_that_fills_the_box_is_closed_at_its_faces():
    vertices, triangles = closed_surface(np.full((16, 16, 16), 5.0, np.float32), 1.0, 2.0)
    solid = as_trimesh(vertices, triangles)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(8.0, rel=0.35)
    assert np.abs(vertices).max() <= 1.0


def test_the_axes_of_the_grid_are_x_y_z():
    x, y, z = distance_grid()
    density = density_inside(np.sqrt((x - 0.2) ** 2 + (y + 0.1) ** 2 + (z - 0.3) ** 2) - 0.1)
    vertices, _ = closed_surface(density, 10.0, box_size=2.0)
    assert vertices.mean(axis=0) == pytest.approx([0.4, -0.2, 0.6], abs=0.02)


def test_no_surface_is_an_error():
    with pytest.raises(UserError, match="nowhere exceeds 3"):
        closed_surface(np.zeros((8, 8, 8), np.float32), 3.0, 1.0)


@pytest.mark.parametrize("resolution", [8, 513])
def test_resolutions_out_of_range_are_refused(ball, resolution):
    with pytest.raises(UserError, match="mesh resolution: got"):
        portrait_mesh(ball, resolution=resolution)


def tetrahedron() -> Mesh:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    colours = np.array([[1, 0, 0], [0, 0.5, 0], [0, 0, 1], [0.2, 0.2, 0.2]], np.float32)
    return Mesh(vertices, triangles, vertex_normals(vertices, triangles), colours)


def test_vertex_normals_weigh_triangles_by_area():
    mesh = tetrahedron()
    assert mesh.normals[0] == pytest.approx([-(3**-0.5)] * 3)
    assert mesh.normals[3] == pytest.approx([0, 0, 1])


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
def test_plain_formats_keep_shape_and_colours(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_mesh(path, tetrahedron())
    loaded = trimesh.load(path, force="mesh", process=False)
    assert np.allclose(loaded.vertices, tetrahedron().vertices)
    assert np.array_equal(loaded.faces, tetrahedron().triangles)
    expected = (tetrahedron().colours * 255).round()
    assert np.array_equal(loaded.visual.vertex_colors[:, :3], expected)


def test_glb_keeps_shape_and_holds_linear_colours(tmp_path):
    path = tmp_path / "a.glb"
    save_mesh(path, tetrahedron())
    loaded = trimesh.load(path, force="mesh", process=False, skip_materials=True)
    assert np.allclose(loaded.vertices, tetrahedron().vertices)
    assert np.array_equal(loaded.faces, tetrahedron().triangles)
    assert loaded.is_watertight
    linear = np.array([[255, 0, 0], [0, 54.6, 0], [0, 0, 255], [8.4] * 3])
    assert np.abs(loaded.visual.vertex_colors[:, :3] - linear).max() <= 1
    # With its material trimesh sees a texture, and lays the colours aside; force="mesh" drops them.
    (loaded,) = trimesh.load(path, process=False).geometry.values()
    aside = loaded.visual.vertex_attributes["color"][:, :3]
    assert np.abs(aside * 255 - linear).max() <= 1


def test_glb_follows_the_standard(tmp_path):
    path = tmp_path / "a.glb"
    save_mesh(path, tetrahedron())
    content = path.read_bytes()
    magic, version, length, text_length, kind = struct.unpack("<4sIII4s", content[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
    assert text_length % 4 == 0
    document = json.loads(content[20 : 20 + text_length])
    position = document["accessors"][0]
    assert position["min"] == [0, 0, 0]
    assert position["max"] == [1, 1, 1]
    assert document["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert document["extensionsUsed"] == ["KHR_materials_unlit"]
    views = document["bufferViews"]
    assert all(view["byteOffset"] % 4 == 0 for view in views)
    end = views[-1]["byteOffset"] + views[-1]["byteLength"]
    assert end == document["buffers"][0]["byteLength"] == length - 28 - text_length


def test_unknown_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"got '.stl'; expected .glb, .ply, .obj"):
        save_mesh(tmp_path / "a.stl", tetrahedron())
