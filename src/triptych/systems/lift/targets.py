"""What planes are fitted to: points with colours, densities in the box, and views of the mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera, look_at_camera
from triptych.systems.lift.colours import Colours
from triptych.systems.lift.pinhole import FloatArray, Pinhole
from triptych.systems.lift.silhouette import depth_inside
from triptych.systems.lift.solid import Density

_SURFACE_POINTS = 400_000
_BACK_COUNTS = 0.35  # triangles that face away from the front, of their area
_TURNED_AWAY = -0.3
_LARGEST = 40.0  # raw densities beyond it count as this
_INNERMOST = 4.0  # pixels of 512 inside the outline from which pixels of the photo count
_MARGIN_OF_COLOURS = 0.02  # from black and white, where the decoder's sigmoid is flat: planes would
# differ there without a difference in colour, and show it as blotches once the head is stylised
_FRONT_YAW, _FRONT_PITCH, _SIDE_PITCH = 42.0, (-18.0, 20.0), (-12.0, 15.0)  # degrees


@dataclass(frozen=True, eq=False)
class PointTargets:
    """Surface points.

    Attributes:
        points: [n, 3].
        inwards: Unit directions into the solid [n, 3].
        colours: [n, 3] in [-1, 1].
    """

    points: Tensor
    inwards: Tensor
    colours: Tensor

    def drawn(self, number: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return some of the points, directions and colours."""
        chosen = torch.randint(len(self.points), (number,), generator=rng).to(self.points.device)
        return self.points[chosen], self.inwards[chosen], self.colours[chosen]

    def to(self, device: torch.device) -> PointTargets:
        """Return the points on another device."""
        return PointTargets(
            self.points.to(device), self.inwards.to(device), self.colours.to(device)
        )


@dataclass(frozen=True, eq=False)
class ViewTargets:
    """Views that the portrait should show; the first is the photo's.

    Attributes:
        cameras: v cameras.
        images: Colours over the background [v, s * s, 3] in [-1, 1].
        alpha: How much of the background is hidden [v, s * s].
        distance: Distance of the surface along the unit ray [v, s * s]; 0 beside it.
        near: Pixels on or beside the head of each view.
    """

    cameras: Camera
    images: Tensor
    alpha: Tensor
    distance: Tensor
    near: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """Side of the views in pixels."""
        return math.isqrt(self.alpha.shape[1])


class DensityTarget:
    """Raw densities of a solid at any points, clipped.

    Args:
        density: [n, n, n], indexed x, y, z, from face to face of the box.
        box_size: Side of the box.
        device: Where points will be.
    """

    def __init__(self, density: Density, box_size: float, device: torch.device) -> None:
        grid = torch.from_numpy(density).clamp(-_LARGEST, _LARGEST).permute(2, 1, 0)
        self._grid, self._box_size = grid[None, None].contiguous().to(device), box_size

    def __call__(self, points: Tensor) -> Tensor:
        """Return densities [n] at world points [n, 3]."""
        places = (points * (2 / self._box_size)).reshape(1, 1, 1, -1, 3)
        return functional.grid_sample(
            self._grid, places, align_corners=True, padding_mode="border"
        ).reshape(-1)

    def error(self, density: Tensor, points: Tensor) -> Tensor:
        """Return the mean absolute error of raw densities [n] at points [n, 3]."""
        return (density.clamp(-_LARGEST, _LARGEST) - self(points)).abs().mean()


def surface_points(colours: Colours, rng: np.random.Generator) -> PointTargets:
    """Draw points all over the surface; the front counts more than the back."""
    surface = colours.surface
    weights = np.where(surface.facing[:, 2] > _TURNED_AWAY, 1.0, _BACK_COUNTS)
    number = min(_SURFACE_POINTS, 8 * len(surface.triangles))
    chosen, corners = surface.sampled(number, rng, weights)
    values = np.column_stack([surface.vertices, surface.normals, colours.confidence, colours.fill])
    mixed = surface.mixed(chosen, corners, values)
    points = mixed[:, :3]
    return _point_targets(points, -mixed[:, 3:6], colours.at(points, mixed[:, 6], mixed[:, 7:]))


def photo_points(colours: Colours) -> PointTargets:
    """Return the surface points that the photo's pixels see, well inside the outline."""
    surface, photo = colours.surface, colours.photo
    pinhole = photo.pinhole
    raster = surface.rasterised(pinhole)
    unit = photo.size / 512
    kept = depth_inside(photo.person) > _INNERMOST * unit
    kept &= ndimage.binary_erosion(photo.inside, iterations=max(1, round(4 * unit)), border_value=1)
    points = raster.values(surface.triangles, surface.vertices)
    kept_points = points[kept[raster.hit]]
    inwards = kept_points - pinhole.position
    inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)
    return _point_targets(kept_points, inwards, photo.colours[raster.hit & kept])


def view_targets(
    colours: Colours,
    size: int,
    background: float,
    front: int,
    side: int,
    rng: torch.Generator,
) -> ViewTargets:
    """Draw the mesh from the photo's camera and from around.

    Args:
        colours: The coloured mesh.
        size: Side of the views in pixels.
        background: Value behind the head in [-1, 1].
        front: Views within +-42 degrees of yaw.
        side: Views of all yaws beyond.
        rng: Draws the views.
    """
    cameras = Camera.stack([colours.photo.camera.to("cpu"), _around(front, side, rng)])
    drawn = [_drawn(colours, cameras[index], size) for index in range(len(cameras))]
    drawn[0] = _with_photo(colours, drawn[0], size)
    shade = (background + 1) / 2
    images = [
        alpha[..., None] * colour + (1 - alpha[..., None]) * shade for colour, alpha, _ in drawn
    ]
    alphas = torch.from_numpy(np.stack([alpha for _, alpha, _ in drawn])).float()
    wide = functional.max_pool2d(alphas[:, None], (1, 9), 1, (0, 4))
    around = functional.max_pool2d(wide, (9, 1), 1, (4, 0))[:, 0].flatten(1) > 0
    return ViewTargets(
        cameras,
        _within_reach(torch.from_numpy(np.stack(images)).float()).flatten(1, 2) * 2 - 1,
        alphas.flatten(1),
        torch.from_numpy(np.stack([distance for *_, distance in drawn])).float().flatten(1),
        tuple(pixels.nonzero()[:, 0] for pixels in around),
    )


def _drawn(
    colours: Colours, camera: Camera, size: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return colour, alpha and distance along the ray of one view, where pixels' centres are.

    Rays go through the centres too: means over pixels would blur what each ray should meet.
    """
    surface, pinhole = colours.surface, Pinhole.of(camera, size)
    raster = surface.rasterised(pinhole)
    hit = raster.hit
    values = np.column_stack([surface.vertices, colours.confidence, colours.fill])
    mixed = raster.values(surface.triangles, values)
    colour, distance = np.zeros((size, size, 3)), np.zeros((size, size))
    colour[hit] = colours.at(mixed[:, :3], mixed[:, 3], mixed[:, 4:])
    distance[hit] = np.linalg.norm(mixed[:, :3] - pinhole.position, axis=1)
    return colour, hit.astype(float), distance


def _with_photo(
    colours: Colours, drawn: tuple[FloatArray, FloatArray, FloatArray], size: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the photo's own view: its pixels and its outline wherever the person is known."""
    photo = colours.photo
    person = (photo.person & photo.inside).astype(float)
    shown = np.concatenate([photo.colours * person[..., None], person[..., None]], axis=2)
    tensor = torch.from_numpy(shown).permute(2, 0, 1)[None]
    small = functional.interpolate(tensor, size=(size, size), mode="area")[0].permute(1, 2, 0)
    seen, weight = small[..., :3].numpy(), small[..., 3].numpy()
    colour, alpha, distance = drawn
    own = seen / np.maximum(weight[..., None], 1e-6)
    nearest = ndimage.distance_transform_edt(
        alpha < 0.5, return_distances=False, return_indices=True
    )
    colour = np.where(weight[..., None] > 0.2, own, colour)
    return colour, np.maximum(alpha, weight), distance[tuple(nearest)]


def _around(front: int, side: int, rng: torch.Generator) -> Camera:
    draws = torch.rand(4, max(front, side), generator=rng, dtype=torch.float64)
    low, high = _FRONT_PITCH
    yaw = (2 * draws[0, :front] - 1) * _FRONT_YAW
    pitch = low + (high - low) * draws[1, :front]
    rest = 360 - 2 * _FRONT_YAW
    back = _FRONT_YAW + rest * (torch.arange(side) + draws[2, :side]) / max(1, side)
    low, high = _SIDE_PITCH
    back_pitch = low + (high - low) * draws[3, :side]
    yaws, pitches = torch.cat([yaw, back]), torch.cat([pitch, back_pitch])
    return look_at_camera(yaws.deg2rad(), pitches.deg2rad())


def _point_targets(points: FloatArray, inwards: FloatArray, colours: FloatArray) -> PointTargets:
    place, direction, colour = (
        torch.from_numpy(np.ascontiguousarray(array)).float()
        for array in (points, inwards, colours)
    )
    return PointTargets(place, direction, _within_reach(colour) * 2 - 1)


def _within_reach(colours: Tensor) -> Tensor:
    return colours.clamp(_MARGIN_OF_COLOURS, 1 - _MARGIN_OF_COLOURS)
