"""Textured meshes: charts, texels, and colours that are those of the portrait's views."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import trimesh
from toy_portraits import SPHERE_RADIUS
from two_balls import TwoBallsPortrait

from triptych.avatars.shading.raster import rasterise
from triptych.errors import UserError
from triptych.export.mesh import portrait_mesh
from triptych.export.texture import (
    TexturedMesh,
    carried_outwards,
    decimated,
    save_textured_mesh,
    textured_mesh,
)
from triptych.export.texture_raster import rasterise_uv
from triptych.portrait import Portrait

SIZE = 128


@pytest.fixture(scope="module")
def textured_ball(ball) -> TexturedMesh:
    return textured_mesh(ball, resolution=48, triangles=1000, texture_size=SIZE)


def drawn(mesh: TexturedMesh, portrait: Portrait, yaw: float, size: int) -> np.ndarray:
    """Return the mesh as a camera sees it, in [0, 1], over the ball's grey."""
    places, depth = portrait.orbit(yaw).project(torch.from_numpy(mesh.vertices)[None])
    x, y = (places[0].double().numpy() * size).T
    nearest, owner = np.zeros((size, size)), np.full((size, size), -1, np.int32)
    first, second = np.zeros((size, size)), np.zeros((size, size))
    materials, strands = np.zeros(len(mesh.triangles), np.int32), np.zeros((len(x), 3))
    inverse = 1 / depth[0].double().numpy()
    rasterise(x, y, inverse, mesh.triangles, materials, strands, nearest, owner, first, second)
    weights = np.stack([first, second, 1 - first - second], -1)[..., None]
    uv = (mesh.uv[mesh.triangles[owner]] * weights).sum(2)
    texture = torch.from_numpy(mesh.texture).permute(2, 0, 1)[None] / 255
    grid = torch.from_numpy(uv * 2 - 1).float()[None]
    colours = F.grid_sample(texture, grid, align_corners=False)[0].permute(1, 2, 0).numpy()
    return np.where((owner >= 0)[..., None], colours, 0.75)


def test_texels_of_a_triangle_by_hand():
    # The half of the square above the diagonal, of which a texel centre is inside or on the edge.
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    covered, weights = rasterise_uv(uv, np.array([[0, 1, 2]], np.int32), 4)
    inside = np.add.outer(np.arange(4), np.arange(4)) <= 3
    assert np.array_equal(covered >= 0, inside)
    assert weights[0, 0] == pytest.approx([0.75, 0.125, 0.125])
    assert weights[1, 2] == pytest.approx([0.0, 0.625, 0.375])
    assert np.allclose(weights[inside].sum(-1), 1)


def test_colours_are_carried_as_far_as_asked():
    texture, known = np.zeros((7, 7, 3), np.float32), np.zeros((7, 7), bool)
    texture[3, 3], known[3, 3] = 0.8, True
    carried = carried_outwards(texture, known, 2)
    assert np.allclose(carried[1:6, 1:6], 0.8)
    assert not carried[0].any()


def test_a_decimated_surface_stays_closed(ball):
    mesh = portrait_mesh(ball, resolution=48)
    vertices, triangles = decimated(mesh.vertices, mesh.triangles, 800)
    assert 700 < len(triangles) <= 800
    assert trimesh.Trimesh(vertices, triangles, process=False).is_watertight
    assert np.linalg.norm(vertices, axis=1) == pytest.approx(SPHERE_RADIUS, abs=0.01)
    assert decimated(mesh.vertices, mesh.triangles, 10**6)[1] is mesh.triangles


def test_charts_do_not_overlap_and_texels_lie_on_the_surface(textured_ball):
    mesh = textured_ball
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    corners = mesh.uv[mesh.triangles].astype(np.float64)
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2
    covered, weights = rasterise_uv(mesh.uv, mesh.triangles, SIZE)
    assert (covered >= 0).mean() == pytest.approx(areas.sum(), rel=0.06)
    points = mesh.vertices[mesh.triangles[covered[covered >= 0]]] * weights[covered >= 0][..., None]
    assert np.linalg.norm(points.sum(1), axis=1) == pytest.approx(SPHERE_RADIUS, abs=0.012)


@pytest.mark.parametrize("yaw", [0.0, 0.6, 2.5])
def test_the_mesh_looks_as_the_portrait_does(ball, textured_ball, yaw):
    view = ball.render(ball.orbit(yaw), 64)
    true = (view.image[0].permute(1, 2, 0).numpy() + 1) / 2
    difference = np.abs(drawn(textured_ball, ball, yaw, 64) - true.clip(0, 1)).max(axis=-1)
    solid = -F.max_pool2d(-view.alpha[0], 5, 1, 2)[0].numpy() > 0.99  # not at the outline
    assert solid.sum() > 1000
    # Where red meets dark a texel more or less of it is seen.
    assert (difference[solid] < 0.03).mean() > 0.9
    assert np.median(difference[solid]) < 0.005


def test_a_glb_holds_the_texture_and_no_vertex_colours(tmp_path, textured_ball):
    path = tmp_path / "a.glb"
    save_textured_mesh(path, textured_ball)
    loaded = trimesh.load(path, force="mesh", process=False)
    assert np.allclose(loaded.vertices, textured_ball.vertices)
    assert np.array_equal(loaded.faces, textured_ball.triangles)
    assert np.array_equal(
        np.asarray(loaded.visual.material.baseColorTexture)[..., :3], textured_ball.texture
    )
    assert np.allclose(loaded.visual.uv, textured_ball.uv * [1, -1] + [0, 1], atol=1e-6)
    content = path.read_bytes()
    length, text_length = struct.unpack("<II", content[8:16])
    document = json.loads(content[20 : 20 + text_length])
    assert set(document["meshes"][0]["primitives"][0]["attributes"]) == {
        "POSITION", "NORMAL", "TEXCOORD_0",
    }  # fmt: skip
    assert document["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    start = 28 + text_length + view["byteOffset"]
    assert content[start : start + 8] == b"\x89PNG\r\n\x1a\n"
    assert start + view["byteLength"] == length == len(content)


def test_regions_are_nodes_of_a_textured_mesh(tmp_path):
    class Named(TwoBallsPortrait):
        region_names = ("one", "other")

    mesh = textured_mesh(Named("sdf"), resolution=24, triangles=400, texture_size=64)
    assert 0 < sum(len(some) for some in mesh.regions.values()) == len(mesh.triangles)
    save_textured_mesh(tmp_path / "a.glb", mesh)
    assert set(trimesh.load(tmp_path / "a.glb").geometry) == set(mesh.regions)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"triangles": 5}, "number of triangles: got 5"),
        ({"texture_size": 8}, "texture size: got 8"),
        ({"resolution": 8}, "mesh resolution: got 8"),
    ],
)
def test_numbers_out_of_range_are_refused(ball, options, said):
    with pytest.raises(UserError, match=said):
        textured_mesh(ball, **options)


def test_other_files_have_vertex_colours(tmp_path, textured_ball):
    with pytest.raises(UserError, match="expected .glb or .obj; .ply has vertex colours"):
        save_textured_mesh(tmp_path / "a.ply", textured_ball)
