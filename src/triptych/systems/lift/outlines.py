"""Matching the avatar's outline to the photo's: non-rigid iterated closest points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from triptych.systems.lift.pinhole import FloatArray, sampled
from triptych.systems.lift.silhouette import Mask, depth_inside

# Pixels are those of a crop of 512; other sizes scale them.
_REFERENCE = 512
_STEP = 6.0  # between points of the moved outline; the other one's lie three times as close
_BORDER = 4.0  # of the picture: an outline that runs along it is none
_LEAST_LENGTH = 60
_SMOOTHING = (3e5, 1e5, 3e4, 5e3, 5e2, 5e1)  # of the thin plates, round by round
_CANDIDATES = 8
_AGAINST_NORMALS, _AGAINST_REGIONS = 60.0, 60.0  # pixels that disagreement costs
_LEAST_AGREEMENT = 0.5  # of normals
_FARTHEST = 90.0
_BESIDE_FACE = 50.0  # within it, outlines move about as the landmarks do:
_FREE, _FREE_SHARE = 14.0, 0.4  # this much farther, and this share of the distance


@dataclass(frozen=True, eq=False)
class Outline:
    """Points along an outline.

    Attributes:
        points: Positions in pixels [n, 2].
        normals: Unit vectors that point out of the mask [n, 2].
        regions: What lies just inside: shares of the groups [n, g].
    """

    points: FloatArray
    normals: FloatArray
    regions: FloatArray


@dataclass(frozen=True, eq=False)
class OutlineMatch:
    """Points of one outline with their partners on another.

    Attributes:
        source: Positions [m, 2].
        target: Positions [m, 2].
        share: Share of the source outline's points that found a partner.
        residual: Median distance left after the warp, in pixels.
    """

    source: FloatArray
    target: FloatArray
    share: float
    residual: float


def outline_of(
    mask: Mask,
    regions: FloatArray,
    *,
    known: Mask | None = None,
    step: float = _STEP,
    outwards: float = 0.0,
) -> Outline:
    """Walk along the outline of a mask.

    Args:
        mask: Solid part of a picture [s, s].
        regions: Shares of the groups [h, h, g], of any size.
        known: Pixels where the mask is known [s, s]; outlines beside others are left out.
        step: Pixels from point to point.
        outwards: Pixels by which the points are moved out of the mask.
    """
    size = mask.shape[0]
    unit = size / _REFERENCE
    soft = ndimage.gaussian_filter(mask.astype(float), 2.0 * unit)
    parts = [
        _spaced(contour[:, ::-1] - 2, step * unit)
        for contour in find_contours(np.pad(soft, 2, mode="edge"), 0.5)
        if len(contour) >= _LEAST_LENGTH * unit
    ]
    points = np.concatenate([np.empty((0, 2)), *parts]) + 0.5
    rows, columns = np.gradient(ndimage.gaussian_filter(mask.astype(float), 4.0 * unit))
    slope = np.column_stack([sampled(columns, points), sampled(rows, points)])
    normals = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    border = _BORDER * unit
    kept = ((points > border) & (points < size - border)).all(axis=1)
    if known is not None:
        kept &= sampled(depth_inside(known), points) > 7 * unit
    points, normals = points[kept], normals[kept]
    inner = (points - 6 * unit * normals) * (regions.shape[0] / size)
    shares = sampled(regions, inner)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-6)
    return Outline(points + outwards * unit * normals, normals, shares)


def match_outlines(
    source: Outline,
    target: Outline,
    landmarks: FloatArray,
    wanted: FloatArray,
    known: Mask,
) -> OutlineMatch:
    """Move one outline onto another round by round, held by landmarks.

    A partner lies near, faces the same way and bounds the same kind of region; beside the face only
    those count that move as the landmarks there do: a jaw is no shoulder.

    Args:
        source: Outline to be moved.
        target: Where to.
        landmarks: Landmarks of the source [k, 2].
        wanted: Where they go [k, 2].
        known: Pixels where the target's mask is known [s, s].
    """
    unit = known.shape[0] / _REFERENCE
    if not len(source.points) or not len(target.points):
        return OutlineMatch(np.empty((0, 2)), np.empty((0, 2)), 0.0, 0.0)
    tree = cKDTree(target.points)
    moved = affine_between(landmarks, wanted)(source.points)
    beside, nearest = cKDTree(landmarks).query(source.points, k=min(5, len(landmarks)))
    expected = (wanted - landmarks)[nearest].mean(axis=1)
    beside = beside[:, 0]
    found = np.zeros(len(moved), bool)
    partner = moved
    for smoothing in _SMOOTHING:
        distance, index = tree.query(moved, k=min(_CANDIDATES, len(target.points)))
        agreement = np.einsum("nkd,nd->nk", target.normals[index], source.normals)
        alike = np.einsum("nkg,ng->nk", target.regions[index], source.regions)
        cost = distance + _AGAINST_NORMALS * unit * (1 - agreement)
        choice = (cost + _AGAINST_REGIONS * unit * (1 - alike)).argmin(axis=1)
        row = np.arange(len(index))
        partner = target.points[index[row, choice]]
        found = agreement[row, choice] > _LEAST_AGREEMENT
        found &= distance[row, choice] < _FARTHEST * unit
        found &= sampled(known, moved) > 0.5
        excess = np.linalg.norm(partner - source.points - expected, axis=1)
        free = _FREE * unit + _FREE_SHARE * beside
        found &= ~((beside < _BESIDE_FACE * unit) & (excess > free))
        pairs = np.concatenate([landmarks[::4], source.points[found]])
        moves = np.concatenate([(wanted - landmarks)[::4], (partner - source.points)[found]])
        warp = RBFInterpolator(pairs, moves, kernel="thin_plate_spline", smoothing=smoothing)
        moved = source.points + warp(source.points)
    left = np.linalg.norm(moved[found] - partner[found], axis=1)
    residual = float(np.median(left)) if found.any() else 0.0
    return OutlineMatch(source.points[found], partner[found], float(found.mean()), residual)


def _spaced(contour: FloatArray, step: float) -> FloatArray:
    """Return points of a polyline [n, 2] at equal distances along it."""
    lengths = np.linalg.norm(np.diff(contour, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    stops = np.arange(0.0, along[-1], step)
    return np.column_stack([np.interp(stops, along, contour[:, axis]) for axis in (0, 1)])


def affine_between(source: FloatArray, target: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the affine map of points [n, 2] that takes some [k, 2] nearest to others [k, 2]."""

    def with_one(points: FloatArray) -> FloatArray:
        return np.column_stack([points, np.ones(len(points))])

    matrix = np.linalg.lstsq(with_one(source), target, rcond=None)[0]
    return lambda points: with_one(points) @ matrix
