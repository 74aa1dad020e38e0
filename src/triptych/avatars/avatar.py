"""A finished head: baked geometry that can be rendered from any camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.avatars.shading.shade_params import ShadeParams
from triptych.errors import UserError

FOCAL = 4.2647  # of the image size
BACKGROUND = 191  # uint8 grey
_LARGEST_SIZE = 2048


@dataclass(frozen=True, eq=False)
class AvatarImage:
    """A render of an avatar.

    Attributes:
        rgb: uint8 [h, w, 3] over grey 191.
        alpha: float32 [h, w], 0..1.
        depth: float32 [h, w], mean camera z (not ray length) of what is covered, 0 where empty.
        regions: uint8 [h, w]: 0 background, 1 face, 2 eye, 3 brow, 4 mouth, 5 nose, 6 ear, 7 hair,
            8 neck and cloth.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    depth: NDArray[np.float32]
    regions: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Avatar:
    """Baked geometry and colours in the layout of the kernels.

    Attributes:
        positions: World positions float32 [n, 3], inside the unit box.
        triangles: int32 [m, 3].
        materials: int32 [m].
        triangle_regions: uint8 [m].
        rest: float32 [n, 3].
        irradiance: float32 [n, 3].
        highlight: float32 [n].
        masks: Skin masks float32 [k, 7] of the first k vertices.
        uv: float32 [n, 3].
        appearance: Colours.
        picture_filter: Name of a filter (filters.FILTERS) laid over rendered pictures.
    """

    positions: NDArray[np.float32]
    triangles: NDArray[np.int32]
    materials: NDArray[np.int32]
    triangle_regions: NDArray[np.uint8]
    rest: NDArray[np.float32]
    irradiance: NDArray[np.float32]
    highlight: NDArray[np.float32]
    masks: NDArray[np.float32]
    uv: NDArray[np.float32]
    appearance: ShadeParams
    picture_filter: str | None = None

    def render(self, cam2world: ArrayLike, size: int = 128, supersampling: int = 2) -> AvatarImage:
        """Render the avatar.

        Args:
            cam2world: OpenCV camera-to-world matrix [4, 4].
            size: Side of the square picture in pixels.
            supersampling: Samples per pixel side, 1..4.

        Raises:
            UserError: A size or the camera is out of range.
        """
        from triptych.avatars.shading.deferred import Samples, Surface, shade
        from triptych.avatars.shading.raster import rasterise, resolve

        camera = _checked_camera(cam2world, size, supersampling)
        samples = size * supersampling
        x, y, inverse_depth = project(self.positions, camera, samples)
        nearest = np.zeros((samples, samples), np.float32)
        owner = np.full((samples, samples), -1, np.int32)
        first, second = np.zeros_like(nearest), np.zeros_like(nearest)
        rasterise(
            x, y, inverse_depth, self.triangles, self.materials, self.uv,
            nearest, owner, first, second,
        )  # fmt: skip
        colour = np.zeros((samples, samples, 3), np.float32)
        region = np.zeros((samples, samples), np.uint8)
        surface = Surface(
            self.triangles, self.materials, self.triangle_regions, self.rest, self.irradiance,
            self.highlight, self.masks, self.uv,
        )  # fmt: skip
        shade(Samples(owner, first, second), surface, self.appearance, colour, region)
        image = AvatarImage(
            np.empty((size, size, 3), np.uint8),
            np.empty((size, size), np.float32),
            np.empty((size, size), np.float32),
            np.empty((size, size), np.uint8),
        )
        resolve(
            colour, region, owner, nearest, supersampling, BACKGROUND / 255.0,
            image.rgb, image.alpha, image.depth, image.regions,
        )  # fmt: skip
        if self.picture_filter is not None:
            from triptych.avatars.styles.filters import filter_pixels

            image.rgb[:] = filter_pixels(self.picture_filter, image.rgb, image.alpha)
        return image


def project(
    positions: NDArray[np.float32], cam2world: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return pixel x, pixel y and 1 / camera z of world positions [n, 3]."""
    rotation = cam2world[:3, :3].astype(np.float32)
    seen = positions @ rotation - (cam2world[:3, 3] @ cam2world[:3, :3]).astype(np.float32)
    inverse_depth = 1.0 / seen[:, 2]
    x = (FOCAL * seen[:, 0] * inverse_depth + 0.5) * size
    y = (FOCAL * seen[:, 1] * inverse_depth + 0.5) * size
    return x.astype(np.float32), y.astype(np.float32), inverse_depth.astype(np.float32)


def _checked_camera(cam2world: ArrayLike, size: int, supersampling: int) -> NDArray[np.float64]:
    camera = np.asarray(cam2world, np.float64)
    if camera.shape != (4, 4):
        raise UserError(f"cam2world: got shape {camera.shape}; expected (4, 4)")
    if np.linalg.norm(camera[:3, 3]) < 1.0:
        raise UserError("cam2world: the camera is inside the head; move it at least 1 unit away")
    if not 8 <= size <= _LARGEST_SIZE:
        raise UserError(f"size: got {size}; expected 8..{_LARGEST_SIZE}")
    if not 1 <= supersampling <= 4:
        raise UserError(f"supersampling: got {supersampling}; expected 1..4")
    return camera
