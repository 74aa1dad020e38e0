"""Textured meshes as .usdz packages, which phones show in a room and USD programs open."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from triptych.arguments import checked
from triptych.errors import UserError, import_optional
from triptych.export.pictures import save_png
from triptych.export.texture import TexturedMesh
from triptych.files import atomic_path

METRES_PER_UNIT = 0.45
"""A face is about a third of a unit wide, and 15 cm."""
_ROOT, _LAYER, _TEXTURE = "/portrait", "portrait.usdc", "portrait.png"
_LONG_AGO = 10**9


@checked
def save_usdz(path: str | Path, mesh: TexturedMesh) -> None:
    """Write a mesh in metres, y up, whose texture is shown as it is: it glows and reflects nothing.

    Args:
        path: File to be, .usdz.
        mesh: The mesh; its regions become subsets of its faces.

    Raises:
        UserError: The ending is another one, usd-core is missing, or the file cannot be written.
    """
    if Path(path).suffix.lower() != ".usdz":
        raise UserError(f"USD package {path}: got '{Path(path).suffix}'; expected .usdz")
    check_usd()
    from pxr import UsdUtils

    with TemporaryDirectory() as folder, atomic_path(path) as temporary:
        place = Path(folder)
        save_png(place / _TEXTURE, mesh.texture)
        _write_layer(place / _LAYER, mesh)
        for file in place.iterdir():
            os.utime(file, (_LONG_AGO, _LONG_AGO))  # the package keeps times: same mesh, same bytes
        package = place / "portrait.usdz"
        if not UsdUtils.CreateNewUsdzPackage(str(place / _LAYER), str(package)):
            raise UserError(f"cannot write {path}: usd-core could not pack it")
        temporary.write_bytes(package.read_bytes())


def check_usd() -> None:
    """Raise `MissingDependency` unless usd-core is installed."""
    import_optional("pxr.UsdUtils", "usd")


def _write_layer(path: Path, mesh: TexturedMesh) -> None:
    from pxr import Tf, Usd, UsdGeom, UsdShade, Vt

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, _ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    solid = UsdGeom.Mesh.Define(stage, f"{_ROOT}/head")
    points = mesh.vertices * np.float32(METRES_PER_UNIT)
    solid.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    solid.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    corners = mesh.triangles.astype(np.int32)
    solid.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(corners), 3, np.int32)))
    solid.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(corners.reshape(-1)))
    solid.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(mesh.normals.astype(np.float32)))
    solid.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    solid.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    places = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], 1).astype(np.float32)  # v grows upwards
    UsdGeom.PrimvarsAPI(solid).CreatePrimvar(
        "st", _types().TexCoord2fArray, UsdGeom.Tokens.vertex
    ).Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(places)))
    index = {tuple(corner): face for face, corner in enumerate(corners.tolist())}
    for name, some in mesh.regions.items():
        subset = UsdGeom.Subset.Define(stage, f"{_ROOT}/head/{Tf.MakeValidIdentifier(name)}")
        subset.CreateElementTypeAttr(UsdGeom.Tokens.face)
        subset.CreateFamilyNameAttr("regions")
        faces = np.array([index[tuple(corner)] for corner in some.tolist()], np.int32)
        subset.CreateIndicesAttr(Vt.IntArray.FromNumpy(faces))
    UsdShade.MaterialBindingAPI.Apply(solid.GetPrim()).Bind(_glowing_material(stage))
    stage.GetRootLayer().Save()


def _glowing_material(stage: Any) -> Any:
    """Return a preview surface that shows the texture, whatever the light."""
    from pxr import UsdShade

    types = _types()
    material = UsdShade.Material.Define(stage, f"{_ROOT}/as_rendered")
    reader = UsdShade.Shader.Define(stage, f"{_ROOT}/as_rendered/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    texture = UsdShade.Shader.Define(stage, f"{_ROOT}/as_rendered/texture")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", types.Asset).Set(_TEXTURE)
    texture.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    texture.CreateInput("st", types.Float2).ConnectToSource(
        reader.CreateOutput("result", types.Float2)
    )
    surface = UsdShade.Shader.Define(stage, f"{_ROOT}/as_rendered/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("emissiveColor", types.Color3f).ConnectToSource(
        texture.CreateOutput("rgb", types.Float3)
    )
    surface.CreateInput("diffuseColor", types.Color3f).Set((0.0, 0.0, 0.0))
    surface.CreateInput("useSpecularWorkflow", types.Int).Set(1)
    surface.CreateInput("specularColor", types.Color3f).Set((0.0, 0.0, 0.0))
    surface.CreateInput("roughness", types.Float).Set(1.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    return material


def _types() -> Any:
    from pxr import Sdf

    return Sdf.ValueTypeNames
