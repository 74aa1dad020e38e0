"""The shape of a likeness: the avatar's density warped to the photo, then carved and filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from triptych.portrait import Portrait
from triptych.systems.lift.back import with_smooth_back
from triptych.systems.lift.pinhole import FloatArray, Pinhole, sampled
from triptych.systems.lift.silhouette import Mask, depth_inside
from triptych.systems.lift.surface import Surface
from triptych.systems.lift.warp import WarpToAvatar

Density = NDArray[np.float32]

_WARP_NODES = 72  # of the lattice on which the warp is evaluated; between them it is linear
_DENSEST = 60.0
_STEEPNESS = 1500.0  # raw density per world unit at a carved or filled surface
_RIM = 9.0  # raw density on the outline: more than the level, since rays there cross little
_MOST_LEVEL = 5.0
_SMOOTHING = 0.8  # cells
_AROUND, _EMPTY = 4, -8.0  # cells round the largest part, and raw density beyond them at most
_LEAST_MISSING = 60  # pixels of 512
_NEIGHBOURHOODS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)  # pixels of 512
_PILLOW = 0.06  # half the thickness squared per world unit inside the outline
_PILLOW_REACH = 0.05  # world units inside the outline where a pillow is thickest
# Per world unit of depth: what is missing is more of what lies behind, no bridge to a shoulder.
_FARTHER = 20.0
_PILLOW_BACK = 0.015  # world units by which a pillow lies behind its rim


@dataclass(frozen=True, eq=False)
class Solid:
    """Raw densities of a likeness.

    Attributes:
        density: [n, n, n], indexed x, y, z, from face to face of the box.
        level: Raw density at the surface.
        box_size: Side of the box.
        missing: Share of the person's pixels that the warped avatar left empty.
        outside: Share of its pixels that lay outside of the person.
    """

    density: Density
    level: float
    box_size: float
    missing: float
    outside: float

    @property
    def overlap(self) -> float:
        """Intersection over union of the warped avatar and the person's mask."""
        return (1 - self.missing) / (1 + self.outside)

    def on_lattice(self, size: int) -> Density:
        """Return its densities on a lattice of another size [m, m, m], from face to face too."""
        if size == self.density.shape[0]:
            return self.density
        line = np.linspace(0, self.density.shape[0] - 1, size)
        places = np.stack(np.meshgrid(line, line, line, indexing="ij"))
        return np.asarray(ndimage.map_coordinates(self.density, places, order=1), np.float32)

    def surface(self) -> Surface:
        """Return its surface."""
        return Surface.of_density(self.density, self.level, self.box_size)


@torch.no_grad()
def warped_density(avatar: Portrait, warp: WarpToAvatar, resolution: int) -> Density:
    """Return the avatar's raw density, moved to the photo's space [n, n, n]."""
    box = avatar.box_size
    nodes = lattice(_WARP_NODES, box)
    there = torch.from_numpy(warp(nodes)).float().reshape(*[_WARP_NODES] * 3, 3)
    channels = there.permute(3, 0, 1, 2)[None]
    size = (resolution,) * 3
    fine = functional.interpolate(channels, size=size, mode="trilinear", align_corners=True)
    grid = avatar.geometry_grid(resolution).cpu()
    # grid_sample counts the last axis first
    places = fine[0].permute(1, 2, 3, 0).flip(-1)[None] * (2 / box)
    read = functional.grid_sample(
        grid[None, None], places, mode="bilinear", padding_mode="border", align_corners=True
    )[0, 0]
    beyond = (places[0].abs() > 1).any(dim=-1)
    return read.clamp(-_DENSEST, _DENSEST).masked_fill(beyond, -_DENSEST).numpy()


def fitted_to_outline(
    density: Density, level: float, box_size: float, pinhole: Pinhole, person: Mask, known: Mask
) -> Solid:
    """Carve what stands out of the person's outline, and fill what the outline has more.

    Args:
        density: Raw densities in the photo's space [n, n, n].
        level: Raw density at the surface.
        box_size: Side of the box.
        pinhole: The photo's camera.
        person: The person's pixels [s, s].
        known: Pixels where that is known [s, s]; elsewhere the density stays.
    """
    raster = Surface.of_density(density, level, box_size).rasterised(pinhole)
    covered = raster.hit
    missing = ndimage.binary_opening(person & known & ~covered, iterations=2)
    total = max(1, int((person & known).sum()))
    outside = (covered & ~person & known).sum() / total
    share = (person & known & ~covered).sum() / total
    points = lattice(density.shape[0], box_size)
    pixels, along = pinhole.project(points)
    inside = sampled(_signed_distance(pinhole, person), pixels)
    margin = ndimage.binary_erosion(known, iterations=4, border_value=1)
    decided = (sampled(margin, pixels) > 0.9) & ((pixels > 0) & (pixels < pinhole.size)).all(axis=1)
    flat = density.reshape(-1).astype(float)
    rim = np.clip(_STEEPNESS * inside + _RIM, -_DENSEST, None)
    flat = np.where(decided, np.minimum(flat, rim), flat)
    if missing.sum() > _LEAST_MISSING * (pinhole.size / 512) ** 2:
        pillow = _pillow(raster.depth, covered, missing, inside, pixels, along)
        pillow = np.where(decided & (inside > 0), np.minimum(pillow, rim), -_DENSEST)
        flat = np.maximum(flat, np.clip(pillow, -_DENSEST, 40))
    whole = _one_part(flat.reshape(density.shape), level)
    closed = with_smooth_back(whole, level, box_size)
    smooth = ndimage.gaussian_filter(closed, _SMOOTHING)
    solid: Density = _one_part(smooth, level).astype(np.float32)
    return Solid(solid, level, box_size, float(share), float(outside))


def surface_level(avatar: Portrait) -> float:
    """Return the raw density at the avatar's surface: not higher than holes allow."""
    return min(_MOST_LEVEL, avatar.surface_level())


def lattice(resolution: int, box_size: float) -> FloatArray:
    """Return the points [n^3, 3] of a lattice from face to face of the box, x slowest."""
    line = np.linspace(-box_size / 2, box_size / 2, resolution)
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)


def _one_part(density: FloatArray, level: float) -> FloatArray:
    """Return densities [n, n, n] that are empty but round the largest part: nothing floats."""
    parts, count = ndimage.label(density > level)
    if count < 2:
        return density
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    around = ndimage.binary_dilation(largest, iterations=_AROUND)
    return np.where(around, density, np.minimum(density, _EMPTY))


def _signed_distance(pinhole: Pinhole, person: Mask) -> FloatArray:
    """Return how far inside the outline each pixel is, in world units [s, s]."""
    per_pixel = float(np.linalg.norm(pinhole.position)) / pinhole.focal
    inside = depth_inside(person)
    outside = ndimage.distance_transform_edt(~person)
    return ndimage.gaussian_filter(np.where(person, inside, -outside), 1.0) * per_pixel


def _spread(depth: FloatArray, covered: Mask, unit: float) -> FloatArray:
    """Return depths everywhere [s, s]: means over what is near, of ever wider neighbourhoods.

    What lies farther back counts more.
    """
    solid = ndimage.binary_erosion(covered, iterations=2)
    counts = np.zeros_like(depth)
    if solid.any():
        counts[solid] = np.exp(_FARTHER * (depth[solid] - depth[solid].max()))
    values = counts * np.where(solid, depth, 0.0)
    total, weight = np.zeros_like(depth), np.full(depth.shape, 1e-12)
    for width in _NEIGHBOURHOODS:
        share = width**-2.0
        total += share * _blurred(values, width * unit)
        weight += share * _blurred(counts, width * unit)
    return total / weight


def _blurred(picture: FloatArray, deviation: float) -> FloatArray:
    """Blur a picture about as a Gaussian does: three means over boxes, of any width as quick."""
    side = max(1, round(2 * deviation))  # three of its variances, side^2 / 12 each
    for _ in range(3):
        picture = ndimage.uniform_filter(picture, side, mode="nearest")
    return picture


def _pillow(
    depth: FloatArray,
    covered: Mask,
    missing: Mask,
    inside: FloatArray,
    pixels: FloatArray,
    along: FloatArray,
) -> FloatArray:
    """Return raw densities of a round cushion where the head is missing, as deep as its rim."""
    unit = depth.shape[0] / 512
    rim = _spread(depth, covered, unit)
    around = ndimage.binary_dilation(missing, iterations=max(1, round(10 * unit)))
    reach = ndimage.gaussian_filter(around.astype(float), 3.0 * unit)
    half = np.sqrt(np.clip(inside, 0, _PILLOW_REACH) * _PILLOW)
    half = half * np.clip(sampled(reach, pixels) * 1.5, 0, 1)
    return _STEEPNESS * (half - np.abs(along - sampled(rim, pixels) - _PILLOW_BACK))
