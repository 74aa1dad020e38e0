"""Coloured meshes of portraits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from triptych.arguments import checked
from triptych.errors import UserError, check_range, check_whole
from triptych.export.glb import save_glb
from triptych.export.surface import closed_surface, vertex_normals
from triptych.files import atomic_write
from triptych.portrait import Portrait

MESH_SUFFIXES = (".glb", ".ply", ".obj")
RESOLUTION = 160
_LARGEST_LEVEL = 1e30


@dataclass(frozen=True, eq=False)
class Mesh:
    """A coloured triangle mesh in the world: y up, the face along +z.

    Attributes:
        vertices: float32 [v, 3].
        triangles: int32 [t, 3], counter-clockwise as seen from outside.
        normals: Unit float32 [v, 3].
        colours: sRGB float32 [v, 3] in [0, 1].
        regions: Triangles of each region by name, where the portrait names regions; a .glb file
            has a node for each.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    regions: Mapping[str, np.ndarray] = field(default_factory=dict)


@checked
def portrait_mesh(
    portrait: Portrait, *, resolution: int = RESOLUTION, level: float | None = None
) -> Mesh:
    """Return a portrait's surface with the colours that its renderer shows.

    Args:
        portrait: What to turn into a mesh.
        resolution: Samples along each side of the box, 16 to 512; time grows with its cube.
        level: Raw density at the surface; by default where the renderer sees the surface.

    Returns:
        A watertight mesh of one part.

    Raises:
        UserError: The resolution is out of range, or the portrait has no surface.
    """
    vertices, triangles = portrait_surface(portrait, resolution, level)
    normals = vertex_normals(vertices, triangles)
    colours = portrait.colours(torch.from_numpy(vertices), torch.from_numpy(normals))
    pixels = ((colours + 1) / 2).clamp(0, 1).cpu().numpy()
    regions = region_triangles(portrait, vertices, triangles)
    return Mesh(vertices, triangles, normals, pixels, regions)


def portrait_surface(
    portrait: Portrait, resolution: int, level: float | None = None, *, all_parts: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices float32 [v, 3] and triangles int32 [t, 3]; see `portrait_mesh`.

    With `all_parts` the surface may have several: strands, earrings, specks.
    """
    check_whole("mesh resolution", resolution, 16, 512)
    if level is not None:
        check_range("mesh level", level, -_LARGEST_LEVEL, _LARGEST_LEVEL)
    density = portrait.geometry_grid(resolution).cpu().numpy()
    if level is None:
        level = portrait.surface_level()
    return closed_surface(density, level, portrait.box_size, all_parts=all_parts)


def region_triangles(
    portrait: Portrait, vertices: np.ndarray, triangles: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the triangles of each region: the one with the largest share at their corners."""
    names = portrait.region_names
    if not names:
        return {}
    shares = portrait.region_shares(torch.from_numpy(vertices)).cpu().numpy()
    largest = shares[triangles].sum(axis=1).argmax(axis=1)
    found = {name: triangles[largest == index] for index, name in enumerate(names)}
    return {name: some for name, some in found.items() if len(some)}


@checked
def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write a mesh as .glb, .ply or .obj, atomically.

    Colours are linear light in .glb, as its standard asks, and sRGB in the other two.

    Raises:
        UserError: The ending is another one, or the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise UserError(f"mesh file {path}: got '{suffix}'; expected {', '.join(MESH_SUFFIXES)}")
    if suffix == ".glb":
        parts = mesh.vertices, mesh.triangles, mesh.normals, mesh.colours
        save_glb(path, *parts, nodes=mesh.regions)
        return
    import trimesh

    solid = trimesh.Trimesh(
        mesh.vertices,
        mesh.triangles,
        vertex_normals=mesh.normals,
        vertex_colors=(mesh.colours * 255).round().astype(np.uint8),
        process=False,
    )
    content = solid.export(file_type=suffix[1:])
    with atomic_write(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
