"""Textured .obj files: read by another library, and what stands in them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from triptych.errors import UserError
from triptych.export.obj import save_textured_obj

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
NORMALS = np.tile(np.float32([0, 0, 1]), (4, 1))
UV = np.array([[0.25, 0.75], [0.75, 0.75], [0.25, 0.25], [0.75, 0.25]], np.float32)


@pytest.fixture
def texture() -> np.ndarray:
    return np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)


def test_another_library_sees_the_mesh_and_its_texture(tmp_path, texture):
    save_textured_obj(tmp_path / "a.obj", VERTICES, TRIANGLES, NORMALS, UV, texture)
    seen = trimesh.load(tmp_path / "a.obj", force="mesh", process=False)
    assert np.allclose(seen.vertices, VERTICES)
    assert seen.faces.tolist() == TRIANGLES.tolist()
    assert np.allclose(seen.visual.uv, np.stack([UV[:, 0], 1 - UV[:, 1]], 1))
    assert np.asarray(seen.visual.material.image.convert("RGB")).tolist() == texture.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mtl", "a.obj", "a.png"]


def test_groups_are_named(tmp_path, texture):
    nodes = {"hair": TRIANGLES[:1], "skin": TRIANGLES[1:]}
    save_textured_obj(tmp_path / "a.obj", VERTICES, TRIANGLES, NORMALS, UV, texture, nodes=nodes)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert lines[-4:] == ["g hair", "f 1/1/1 2/2/2 3/3/3", "g skin", "f 2/2/2 4/4/4 3/3/3"]


def test_a_name_with_spaces_is_refused(tmp_path, texture):
    with pytest.raises(UserError, match="without spaces"):
        save_textured_obj(tmp_path / "a b.obj", VERTICES, TRIANGLES, NORMALS, UV, texture)
    assert list(tmp_path.iterdir()) == []
