"""Meshes of few triangles with a texture: what a portrait's views show, laid on its surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import UserError, check_whole
from triptych.export.glb import save_textured_glb
from triptych.export.mesh import RESOLUTION, portrait_surface, region_triangles
from triptych.export.obj import save_textured_obj
from triptych.export.surface import vertex_normals
from triptych.export.texture_raster import rasterise_uv
from triptych.portrait import Portrait

TEXTURE_SIZE, TRIANGLES = 1024, 16_000
_PADDING = 4
"""Texels between two charts, and how far colours are carried beyond a chart's edge."""
_YAWS = (-1.3, -0.85, -0.4, 0.0, 0.4, 0.85, 1.3, -0.5, 0.5, 0.0)
_PITCHES = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5, -0.45)
_FACING_POWER, _LEAST_FACING = 6, 0.2
_SAME_DEPTH = 0.015  # of the box: a surface point that a view sees lies no farther behind it
_SEEN_ENOUGH = 0.02
_AGGRESSIVENESS = 5  # of the decimation; with it the surface stays closed


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """A triangle mesh with a texture: y up, the face along +z.

    Vertices on the edge of a chart occur once for each chart.

    Attributes:
        vertices: float32 [v, 3].
        triangles: int32 [t, 3], counter-clockwise as seen from outside.
        normals: Unit float32 [v, 3].
        uv: Texture coordinates float32 [v, 2] in [0, 1], u to the right, v down.
        texture: sRGB uint8 [s, s, 3], the first row at v = 0.
        regions: See `Mesh`.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    texture: np.ndarray
    regions: Mapping[str, np.ndarray] = field(default_factory=dict)


@checked
def textured_mesh(
    portrait: Portrait,
    *,
    resolution: int = RESOLUTION,
    triangles: int = TRIANGLES,
    texture_size: int = TEXTURE_SIZE,
) -> TexturedMesh:
    """Return a portrait's surface with fewer triangles and a texture.

    Args:
        portrait: What to turn into a mesh.
        resolution: See `portrait_mesh`.
        triangles: Most triangles, 100 to 200,000; unwrapping takes longer with more.
        texture_size: Side of the texture in texels, 64 to 4096.

    Raises:
        UserError: A number is out of range, or the portrait has no surface.
    """
    check_whole("number of triangles", triangles, 100, 200_000)
    check_whole("texture size", texture_size, 64, 4096)
    surface = decimated(*portrait_surface(portrait, resolution), triangles)
    mesh = unwrapped(*surface, texture_size)
    covered, weights = rasterise_uv(mesh.uv, mesh.triangles, texture_size)
    inside = covered >= 0
    corners = mesh.triangles[covered[inside]]
    own = weights[inside][..., None]
    points = torch.from_numpy((mesh.vertices[corners] * own).sum(1).astype(np.float32))
    normals = torch.from_numpy((mesh.normals[corners] * own).sum(1).astype(np.float32))
    size = min(portrait.picture_size, texture_size)
    colours = surface_texels(portrait, points, F.normalize(normals, dim=1), size)
    texture = np.zeros((texture_size, texture_size, 3), np.float32)
    texture[inside] = ((colours + 1) / 2).clamp(0, 1).numpy()
    pixels = (carried_outwards(texture, inside, _PADDING) * 255).round().astype(np.uint8)
    regions = region_triangles(portrait, mesh.vertices, mesh.triangles)
    return replace(mesh, texture=pixels, regions=regions)


@checked
def save_textured_mesh(path: str | Path, mesh: TexturedMesh) -> None:
    """Write a textured mesh as .glb, or as .obj with its .mtl and .png beside it, atomically.

    Raises:
        UserError: The ending is another one, or a file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".glb", ".obj"):
        raise UserError(
            f"textured mesh file {path}: expected .glb or .obj; .ply has vertex colours"
        )
    parts = mesh.vertices, mesh.triangles, mesh.normals, mesh.uv, mesh.texture
    save = save_textured_glb if suffix == ".glb" else save_textured_obj
    save(path, *parts, nodes=mesh.regions)


def decimated(
    vertices: np.ndarray, triangles: np.ndarray, target: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a closed surface with at most about so many triangles (quadric error metrics)."""
    if len(triangles) <= target:
        return vertices, triangles
    import fast_simplification

    points, faces = fast_simplification.simplify(
        vertices, triangles, target_count=target, agg=_AGGRESSIVENESS
    )
    return points.astype(np.float32), faces.astype(np.int32)


def unwrapped(vertices: np.ndarray, triangles: np.ndarray, texture_size: int) -> TexturedMesh:
    """Cut a surface into charts and lay them beside each other; the texture is still black."""
    import xatlas

    normals = vertex_normals(vertices, triangles)
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, triangles.astype(np.uint32), normals)
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_iterations = 1
    packing.resolution, packing.padding, packing.bilinear = texture_size, _PADDING, True
    atlas.generate(charts, packing)
    origin, faces, uv = atlas[0]
    return TexturedMesh(
        vertices[origin],
        faces.astype(np.int32),
        normals[origin],
        np.ascontiguousarray(uv, dtype=np.float32),
        np.zeros((1, 1, 3), np.uint8),
    )


@torch.no_grad()
def surface_texels(portrait: Portrait, points: Tensor, normals: Tensor, size: int) -> Tensor:
    """Return colours [n, 3] in [-1, 1] of surface points, as views from ten sides show them.

    A view counts where it sees a point and the more, the more squarely. What none sees has the
    colour that a short ray along the normal accumulates.

    Args:
        portrait: The portrait.
        points: Surface points [n, 3].
        normals: Unit normals [n, 3].
        size: Side of the views in pixels.
    """
    total, weight = torch.zeros_like(points), torch.zeros(len(points), 1)
    cameras = portrait.orbit(torch.tensor(_YAWS), torch.tensor(_PITCHES))
    for view in range(len(cameras)):
        colours, seen = _seen(portrait, cameras[view], size, points, normals)
        total, weight = total + seen * colours, weight + seen
    unseen = weight[:, 0] < _SEEN_ENOUGH
    colours = total / weight.clamp_min(1e-9)
    if bool(unseen.any()):
        behind = portrait.colours(points[unseen], normals[unseen]).cpu()
        share = weight[unseen] / _SEEN_ENOUGH
        colours[unseen] = share * colours[unseen] + (1 - share) * behind
    return colours


def _seen(
    portrait: Portrait, camera: Camera, size: int, points: Tensor, normals: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the colours [n, 3] that a view has at points, and how well it sees them [n, 1]."""
    view = portrait.render(camera, size)
    places, _ = camera.project(points[None])
    away = points - camera.positions
    distance = away.norm(dim=1, keepdim=True)
    facing = -(away * normals).sum(1, keepdim=True) / distance
    maps = torch.cat([view.depth, view.alpha], dim=1).cpu()
    depth, alpha = _sampled(maps, places[0]).split(1, dim=1)
    visible = (distance - depth).abs() < _SAME_DEPTH * portrait.box_size
    inside = ((places[0] > 0) & (places[0] < 1)).all(dim=1, keepdim=True)
    weight = ((facing - _LEAST_FACING) / (1 - _LEAST_FACING)).clamp_min(0) ** _FACING_POWER
    return _sampled(view.image.cpu(), places[0]), weight * alpha * (visible & inside)


def _sampled(maps: Tensor, places: Tensor) -> Tensor:
    """Return values [n, c] of maps [1, c, h, w] at places [n, 2] in [0, 1]."""
    grid = (places * 2 - 1)[None, None]
    found = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return found[0, :, 0].T


def carried_outwards(texture: np.ndarray, known: np.ndarray, texels: int) -> np.ndarray:
    """Return a texture whose unknown texels near known ones have the mean of their neighbours.

    Args:
        texture: [s, s, 3].
        known: Which texels are known [s, s].
        texels: How far.
    """
    values, filled = torch.from_numpy(texture).permute(2, 0, 1)[None], torch.from_numpy(known)
    filled = filled[None, None].float()
    values = values * filled
    for _ in range(texels):
        about = F.avg_pool2d(filled, 3, 1, 1)
        mean = F.avg_pool2d(values, 3, 1, 1) / about.clamp_min(1e-9)
        values = torch.where(filled > 0, values, mean * (about > 0))
        filled = torch.maximum(filled, (about > 0).float())
    return values[0].permute(1, 2, 0).numpy()
