"""From densities on a grid to one closed surface."""

from __future__ import annotations

import numpy as np

from triptych.errors import UserError

_BARELY = 1e-3


def closed_surface(
    density: np.ndarray, level: float, box_size: float, *, all_parts: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface of the largest solid where density exceeds a level.

    Floating specks are dropped, cavities are filled, and the solid is closed where it touches the
    faces of the box, so that the surface is watertight.

    Args:
        density: Raw densities [n, n, n], indexed x, y, z, from face to face of the box. Raw, since
            they are nearly linear across a cell, which activated densities are not.
        level: Raw density at the surface.
        box_size: Side of the box, centred on the origin.
        all_parts: Keep every part, however small.

    Returns:
        Vertices float32 [v, 3] in the world and triangles int32 [t, 3], counter-clockwise as seen
        from outside.

    Raises:
        UserError: Nothing exceeds the level.
    """
    from skimage.measure import marching_cubes

    height = (density - level).astype(np.float32)
    above = height > 0
    solid = _solid(above, all_parts)
    if not solid.any():
        raise UserError(f"there is no surface: the raw density nowhere exceeds {level:g}")
    # never exactly zero, where triangles would shrink to points
    distance = np.maximum(np.abs(height), _BARELY)
    height = np.where(solid, distance, -distance)
    spacing = box_size / (density.shape[0] - 1)
    vertices, triangles, _, _ = marching_cubes(
        height, level=0.0, spacing=(spacing,) * 3, gradient_direction="ascent"
    )
    return (vertices - box_size / 2).astype(np.float32), triangles.astype(np.int32)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return unit normals float32 [v, 3]: the mean of the adjacent triangles', by area."""
    corners = vertices[triangles].astype(np.float64)
    by_area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros(vertices.shape)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], by_area)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-20)).astype(np.float32)


def _solid(above: np.ndarray, all_parts: bool) -> np.ndarray:
    """Return the largest connected part, or all, cavities filled and the box's faces left free."""
    from scipy import ndimage

    inner = np.zeros_like(above)
    inner[1:-1, 1:-1, 1:-1] = above[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label(inner)
    if count == 0:
        return inner
    sizes = np.bincount(parts.ravel())
    solid = inner if all_parts else parts == 1 + sizes[1:].argmax()
    # a bust is cut by the lower face of the box: a cavity that opens there is one as well
    solid[:, 0] = True
    solid = ndimage.binary_fill_holes(solid)
    solid[:, 0] = False
    return solid
