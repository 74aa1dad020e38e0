"""Still pictures: colour, depth and normals of a view, and PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import UserError
from triptych.files import atomic_write
from triptych.ops.colour import check_pixels, to_uint8
from triptych.ops.resize import resize
from triptych.portrait import Portrait, View
from triptych.render.rays import camera_rays

SOLID = 0.5
"""Pixels that hide at least this much of the background belong to the head."""
_NEAR_GREY, _FAR_GREY, _EMPTY_GREY = 255.0, 60.0, 0
_EMPTY_NORMAL = 0
_LEAST_ALPHA = 1 / 255


@checked
def colour_picture(image: Tensor) -> np.ndarray:
    """Turn one image [3, h, w] in [-1, 1] into pixels uint8 [h, w, 3].

    Raises:
        UserError: It is no float tensor of that shape.
    """
    if image.ndim != 3 or len(image) != 3 or not image.is_floating_point():
        raise UserError(
            f"image: got {image.dtype} {list(image.shape)}; expected floats [3, h, w] in [-1, 1]"
        )
    return to_uint8(image[None])[0].cpu().numpy()


@checked
def view_pictures(portrait: Portrait, camera: Camera, size: int | None = None) -> list[np.ndarray]:
    """Render a portrait from v cameras; returns v pictures uint8 [h, w, 3].

    Args:
        portrait: The portrait.
        camera: The cameras.
        size: Side in pixels; the portrait's `picture_size` when None.
    """
    size = portrait.picture_size if size is None else size
    return [colour_picture(image) for image in portrait.render(camera, size).image]


@checked
def transparent_picture(view: View, background: float) -> np.ndarray:
    """Take the background out of a picture.

    Args:
        view: A view of one camera.
        background: What shows where nothing is, in [-1, 1].

    Returns:
        Pixels uint8 [h, w, 4]: colours as they are without the background, and opacity.
    """
    _check_one("view", view)
    alpha = view.alpha
    if alpha.shape[-1] != view.image.shape[-1]:
        alpha = resize(alpha, view.image.shape[-1])
    alpha = alpha.clamp(0, 1)
    colours = background + (view.image - background) / alpha.clamp_min(_LEAST_ALPHA)
    colours = torch.where(alpha > _LEAST_ALPHA, colours, view.image)
    opacity = (alpha[0, 0, ..., None] * 255).round().to(torch.uint8)
    return torch.cat([to_uint8(colours)[0], opacity], dim=-1).cpu().numpy()


@checked
def depth_picture(view: View) -> np.ndarray:
    """Show how near things are: the nearest white, the farthest dark grey, nothing black.

    Args:
        view: A view of one camera.

    Returns:
        Pixels uint8 [h, w, 3].
    """
    _check_one("view", view)
    depth, solid = view.depth[0, 0], view.alpha[0, 0] >= SOLID
    grey = torch.full_like(depth, _EMPTY_GREY)
    if solid.any():
        near, far = torch.quantile(depth[solid], torch.tensor([0.01, 0.99]).to(depth))
        nearness = ((far - depth) / (far - near).clamp_min(1e-6)).clamp(0, 1)
        grey = torch.where(solid, _FAR_GREY + (_NEAR_GREY - _FAR_GREY) * nearness, grey)
    pixels = grey.round().to(torch.uint8).cpu().numpy()
    return np.repeat(pixels[..., None], 3, axis=2)


@checked
def normal_picture(view: View, camera: Camera) -> np.ndarray:
    """Show which way the surface faces, as seen from the camera.

    Red grows to the right, green upwards, blue towards the viewer, as in normal maps; nothing is
    black.

    Args:
        view: A view of one camera.
        camera: That camera.

    Returns:
        Pixels uint8 [h, w, 3].
    """
    solid = view.alpha[0, 0] >= SOLID
    normals = surface_normals(view, camera)
    colours = (normals * 0.5 + 0.5) * 255
    colours = torch.where(solid[..., None], colours, torch.full_like(colours, _EMPTY_NORMAL))
    return colours.round().to(torch.uint8).cpu().numpy()


@checked
def surface_normals(view: View, camera: Camera) -> Tensor:
    """Return unit normals [h, w, 3] of the seen surface: x right, y up, z towards the viewer."""
    _check_one("view", view)
    _check_one("camera", camera)
    height, width = view.depth.shape[-2:]
    rays = camera_rays(camera, height)
    depth = _smoothed(view.depth, view.alpha).reshape(1, -1, 1)
    points = (rays.origins + depth * rays.directions).reshape(1, height, width, 3)
    across = _central_difference(points, dim=2)
    down = _central_difference(points, dim=1)
    in_world = F.normalize(torch.linalg.cross(down, across), dim=-1)
    in_camera = in_world[0] @ camera.cam2world[0, :3, :3]
    return in_camera * in_camera.new_tensor([1.0, -1.0, -1.0])


@checked
def save_png(path: str | Path, pixels: np.ndarray) -> None:
    """Write pixels uint8 [h, w, 3], or [h, w, 4] with opacity, as a PNG file, atomically.

    Raises:
        UserError: They are no such pixels, or the file cannot be written.
    """
    from PIL import Image

    opaque = pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
    check_pixels("pixels", opaque)
    with atomic_write(path) as stream:
        Image.fromarray(pixels).save(stream, format="PNG")


def _check_one(name: str, views: View | Camera) -> None:
    if len(views) != 1:
        raise UserError(f"{name}: got {len(views)} views; expected one")


def _smoothed(depth: Tensor, alpha: Tensor) -> Tensor:
    """Average depth over 3x3 pixels, each counting by how solid it is."""
    weight = alpha.clamp_min(1e-3)
    total = F.avg_pool2d(depth * weight, 3, stride=1, padding=1)
    return total / F.avg_pool2d(weight, 3, stride=1, padding=1)


def _central_difference(points: Tensor, dim: int) -> Tensor:
    """Return half the step between both neighbours along an axis of [1, h, w, 3]."""
    size = points.shape[dim]
    following = points.index_select(dim, (torch.arange(size) + 1).clamp(max=size - 1))
    previous = points.index_select(dim, (torch.arange(size) - 1).clamp(min=0))
    return (following - previous) / 2
