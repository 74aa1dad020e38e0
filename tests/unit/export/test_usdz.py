"""Packages of USD, opened again."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from triptych.errors import UserError
from triptych.export.texture import TexturedMesh
from triptych.export.usdz import METRES_PER_UNIT, save_usdz

TRIANGLES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
MESH = TexturedMesh(
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32),
    TRIANGLES,
    np.eye(4, 3, dtype=np.float32),
    np.array([[0, 0], [1, 0], [0.25, 0.75], [0.5, 0.5]], np.float32),
    np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3),
    {"left eye": TRIANGLES[1:3]},
)


@pytest.fixture
def stage(tmp_path):
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
    save_usdz(tmp_path / "a.usdz", MESH)
    return usd.Stage.Open(str(tmp_path / "a.usdz"))


def test_the_package_opens_with_shape_and_size(stage):
    from pxr import UsdGeom

    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    head = UsdGeom.Mesh(stage.GetDefaultPrim().GetChild("head"))
    assert np.allclose(head.GetPointsAttr().Get(), MESH.vertices * METRES_PER_UNIT)
    assert np.array_equal(head.GetFaceVertexIndicesAttr().Get(), TRIANGLES.reshape(-1))
    assert list(head.GetFaceVertexCountsAttr().Get()) == [3] * 4
    places = np.array(UsdGeom.PrimvarsAPI(head).GetPrimvar("st").Get())
    assert np.allclose(places, MESH.uv * [1, -1] + [0, 1])
    (subset,) = UsdGeom.Subset.GetAllGeomSubsets(head)
    assert subset.GetPrim().GetName() == "left_eye"
    assert list(subset.GetIndicesAttr().Get()) == [1, 2]


def test_the_texture_glows_and_nothing_else(stage, tmp_path):
    from pxr import UsdShade

    head = stage.GetDefaultPrim().GetChild("head")
    material, _ = UsdShade.MaterialBindingAPI(head).ComputeBoundMaterial()
    surface, _, _ = material.ComputeSurfaceSource()
    source = UsdShade.Shader(surface.GetInput("emissiveColor").GetConnectedSources()[0][0].source)
    assert source.GetInput("file").Get().path.endswith("portrait.png")
    assert tuple(surface.GetInput("diffuseColor").Get()) == (0, 0, 0)
    assert tuple(surface.GetInput("specularColor").Get()) == (0, 0, 0)
    with zipfile.ZipFile(tmp_path / "a.usdz") as package:
        (name,) = [name for name in package.namelist() if name.endswith(".png")]
        with package.open(name) as file:
            assert np.array_equal(np.asarray(Image.open(file)), MESH.texture)


def test_the_same_mesh_is_the_same_file(stage, tmp_path):
    save_usdz(tmp_path / "b.usdz", MESH)
    assert (tmp_path / "a.usdz").read_bytes() == (tmp_path / "b.usdz").read_bytes()


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match="got '.usd'; expected .usdz"):
        save_usdz(tmp_path / "a.usd", MESH)


def test_without_the_package_the_line_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    monkeypatch.setitem(sys.modules, "pxr.UsdUtils", None)
    with pytest.raises(UserError, match=r'pip install "triptych\[usd\]"'):
        save_usdz(tmp_path / "a.usdz", MESH)
    assert list(tmp_path.iterdir()) == []
