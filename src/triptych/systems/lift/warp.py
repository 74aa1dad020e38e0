"""From the photo's space back to the avatar's: thin plates across the view, a shift in depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import LinearNDInterpolator, RBFInterpolator

from triptych.systems.lift.pinhole import FloatArray, Pinhole, sampled
from triptych.systems.lift.temples import move_behind_temples

_NODES = 71  # of the lattice along each side of the picture
_MARGIN = 40.0  # pixels of 512 that the lattice reaches beyond the picture
_FARTHEST = 110.0  # pixels of 512
_ROUNDED = 3.0  # pixels within which places count as one
_SMOOTHING, _DEPTH_SMOOTHING = 3.0, 30.0
_MOST_DEPTH = 0.05  # world units
_FADES = 0.06  # world units behind the skin
_TRUST_IN_DEPTH = 0.85  # of the landmarks' guessed depth
_POINTS_AT_ONCE = 500_000


@dataclass(frozen=True, eq=False)
class WarpToAvatar:
    """Maps points of the photo's space to points of the avatar's space.

    Points move in the frame of the photo's camera: across the view as thin plates say, along it by
    the difference of the faces' depths, which fades behind the skin.

    Attributes:
        pinhole: The photo's camera.
        moves: Pixels by which places of the photo move to the avatar's, on a lattice [n, n, 2].
        depths: How much deeper the photo's face is there, world units [n, n].
        front: Depth of the avatar's front along the axis [s, s].
    """

    pinhole: Pinhole
    moves: FloatArray
    depths: FloatArray
    front: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the avatar's points [n, 3] for points [n, 3] of the photo's space."""
        parts = [
            self._part(points[start : start + _POINTS_AT_ONCE])
            for start in range(0, len(points), _POINTS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else points

    def _part(self, points: FloatArray) -> FloatArray:
        pixels, along = self.pinhole.project(points)
        margin = _margin(self.pinhole.size)
        spacing = (self.pinhole.size + 2 * margin) / (_NODES - 1)
        places = (pixels + margin) / spacing + 0.5
        there = pixels + sampled(self.moves, places)
        shift = sampled(self.depths, places)
        behind = np.clip(along - shift - sampled(self.front, there), 0, None)
        return self.pinhole.unproject(there, along - shift * np.exp(-behind / _FADES))


def warp_to_avatar(
    pinhole: Pinhole,
    photo: FloatArray,
    avatar: FloatArray,
    outline: tuple[FloatArray, FloatArray],
    front: FloatArray,
) -> WarpToAvatar:
    """Fit the warp.

    Args:
        pinhole: The photo's camera.
        photo: Landmarks of the photo [k, 3]: pixels and depth.
        avatar: The same landmarks of the avatar's render from that camera [k, 3].
        outline: Places on the photo's outline [m, 2] and on the avatar's [m, 2].
        front: Depth of the avatar's front along the axis [s, s], filled beside it.
    """
    unit = pinhole.size / 512
    here = np.concatenate([photo[:, :2], outline[0]])
    there = np.concatenate([avatar[:, :2], outline[1]])
    _, kept = np.unique(np.round(here / (_ROUNDED * unit)).astype(int), axis=0, return_index=True)
    margin = _margin(pinhole.size)
    line = np.linspace(-margin, pinhole.size + margin, _NODES)
    lattice = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    plates = RBFInterpolator(
        here[kept], (there - here)[kept], kernel="thin_plate_spline", smoothing=_SMOOTHING
    )
    moves = np.clip(plates(lattice), -_FARTHEST * unit, _FARTHEST * unit)
    depths = _depths(pinhole, photo, avatar, front, lattice)
    depths += _behind_temples(photo, lattice, sampled(front, lattice + moves), depths)
    return WarpToAvatar(pinhole, moves.reshape(_NODES, _NODES, 2), depths, front)


def no_warp(pinhole: Pinhole, front: FloatArray) -> WarpToAvatar:
    """Return the warp that leaves all points where they are; see `warp_to_avatar`."""
    return WarpToAvatar(pinhole, np.zeros((_NODES, _NODES, 2)), np.zeros((_NODES, _NODES)), front)


def filled_front(depth: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the depth of a head's front [s, s]; beside the head, that of its nearest pixel."""
    unseen = ~((alpha > 0.9) & np.isfinite(depth))
    nearest = ndimage.distance_transform_edt(unseen, return_distances=False, return_indices=True)
    return ndimage.gaussian_filter(depth[tuple(nearest)], 1.0)


def _depths(
    pinhole: Pinhole,
    photo: FloatArray,
    avatar: FloatArray,
    front: FloatArray,
    lattice: FloatArray,
) -> FloatArray:
    """Return how much deeper the photo's face is than the avatar's, world units [n, n].

    A plane is taken off: tilt and turn are the pose, which both share.
    """
    middle = pinhole.size // 2
    per_pixel = front[middle, middle] / pinhole.focal
    deeper = (photo[:, 2] - avatar[:, 2]) * per_pixel
    plane = np.column_stack([photo[:, :2] / pinhole.size, np.ones(len(photo))])
    deeper = deeper - plane @ np.linalg.lstsq(plane, deeper, rcond=None)[0]
    fit = RBFInterpolator(
        photo[:, :2],
        _TRUST_IN_DEPTH * deeper,
        kernel="thin_plate_spline",
        smoothing=_DEPTH_SMOOTHING,
    )
    within = LinearNDInterpolator(photo[:, :2], np.ones(len(photo)), fill_value=0.0)(lattice)
    within = within.reshape(_NODES, _NODES)
    weight = ndimage.gaussian_filter(within, 1.2) * within
    depths = np.clip(fit(lattice), -_MOST_DEPTH, _MOST_DEPTH).reshape(_NODES, _NODES)
    return depths * weight


def _behind_temples(
    photo: FloatArray, lattice: FloatArray, front: FloatArray, depths: FloatArray
) -> FloatArray:
    """Return how far hair beside the face moves back, world units [n, n]."""
    face = LinearNDInterpolator(photo[:, :2], np.ones(len(photo)), fill_value=0.0)(lattice)
    return move_behind_temples(lattice, front + depths.ravel(), face).reshape(depths.shape)


def _margin(size: int) -> float:
    return _MARGIN * size / 512
