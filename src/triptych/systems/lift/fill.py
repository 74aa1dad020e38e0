"""Colours of what the photo does not show: the avatar's in the photo's palette, joined seamlessly.

The join solves Poisson's equation on the mesh: gradients of the recoloured avatar, values of the
photo where it is trusted. Hair and cloth also get the fine structure that the photo shows of them.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from triptych.systems.lift.pinhole import FloatArray, smoothstep
from triptych.systems.lift.regions import CLOTH, HAIR
from triptych.systems.lift.surface import Surface

_ACROSS_REGIONS = 0.02  # weight of edges between regions
_TIE, _LOOSE_TIE = 5e-4, 1e-7  # to the recoloured avatar, and where no view knew its region
_KNOWN = (0.3, 0.8)
_LEAST_SAMPLES = 50
_CONTRAST = (0.5, 1.6)  # least and most factor of a region's spread of colours
_GUIDE_SMOOTHING = 8
_FINE_SMOOTHING = 25
_FOLD_DEG = (30.0, 58.0)  # of the cone round the photo's axis from which structure is taken
_FOLD_CENTRE = (0.0, 0.03, -0.02)
_FINE_STRENGTH = 0.9


def recoloured(
    avatar: FloatArray, photo: FloatArray, confidence: FloatArray, regions: FloatArray
) -> FloatArray:
    """Move the avatar's colours to the photo's palette, region by region.

    Median and spread of each region's colours become those that the photo shows of it; a region
    that it does not show keeps the avatar's.

    Args:
        avatar: Colours of the avatar at the vertices [n, 3] in [0, 1].
        photo: Colours of the photo there [n, 3].
        confidence: Trust in the photo [n].
        regions: Shares of the groups [n, g].
    """
    moved = np.zeros_like(avatar)
    for share in regions.T:
        moved += share[:, None] * _moved(avatar, photo, share * confidence)
    return np.clip(moved / np.maximum(regions.sum(axis=1, keepdims=True), 1e-6), 0, 1)


def joined(
    surface: Surface,
    photo: FloatArray,
    guide: FloatArray,
    confidence: FloatArray,
    regions: FloatArray,
    known: FloatArray,
) -> FloatArray:
    """Return colours [n, 3] that follow the photo where it is trusted, else the guide's gradients.

    Args:
        surface: The mesh.
        photo: Colours of the photo at the vertices [n, 3].
        guide: The recoloured avatar [n, 3].
        confidence: Trust in the photo [n].
        regions: Shares of the groups [n, g].
        known: How well the avatar's regions are known [n]: not from behind, where its colours count
            for nothing and the sides' are carried on.
    """
    first, second = surface.edges.T
    guide = surface.smoothed(guide, _GUIDE_SMOOTHING)
    trust = smoothstep(surface.smoothed(known, 6), *_KNOWN)
    seen = np.minimum(trust[first], trust[second])
    alike = np.maximum(_ACROSS_REGIONS, (regions[first] * regions[second]).sum(axis=1))
    slopes = surface.laplacian(alike * seen)
    tie = _TIE * trust + _LOOSE_TIE
    data = confidence**2
    matrix = surface.laplacian(np.where(seen > 0.5, alike, 1.0)) + sparse.diags(data + tie)
    right = slopes @ guide + data[:, None] * photo + tie[:, None] * guide
    return splu(matrix.tocsc()).solve(right)


def fine_structure(
    surface: Surface,
    photo: FloatArray,
    confidence: FloatArray,
    regions: FloatArray,
    position: FloatArray,
) -> FloatArray:
    """Return what hair and cloth add to smooth colours [n, 3] where the photo does not show them.

    Structure is the photo less its mean over neighbours. Unseen places get that of a seen place of
    the same region: directions are folded to and fro over the rim of a cone round the photo's axis.

    Args:
        surface: The mesh.
        photo: Colours of the photo at the vertices [n, 3].
        confidence: Trust in the photo [n].
        regions: Shares of the groups [n, g].
        position: The photo's camera centre [3].
    """
    weight = confidence[:, None] + 1e-4
    mean = surface.smoothed(photo * weight, _FINE_SMOOTHING)
    mean /= surface.smoothed(np.repeat(weight, 3, axis=1), _FINE_SMOOTHING)
    fine, folded = photo - mean, _folded(surface.vertices, position)
    added = np.zeros_like(photo)
    for group in (HAIR, CLOTH):
        seen = (confidence > 0.7) & (regions[:, group] > 0.6)
        unseen = (confidence < 0.98) & (regions[:, group] > 0.3)
        if seen.sum() < 4 * _LEAST_SAMPLES or not unseen.any():
            continue
        _, nearest = cKDTree(surface.vertices[seen]).query(folded[unseen])
        added[unseen] += fine[seen][nearest] * regions[unseen, group][:, None]
    return _FINE_STRENGTH * added


def _moved(avatar: FloatArray, photo: FloatArray, weight: FloatArray) -> FloatArray:
    for least in (0.5, 0.15):
        chosen = weight > least
        if chosen.sum() >= _LEAST_SAMPLES:
            break
    else:
        return avatar
    wanted, given = (np.percentile(c[chosen], (16, 50, 84), axis=0) for c in (photo, avatar))
    contrast = (wanted[2] - wanted[0]) / np.maximum(given[2] - given[0], 0.02)
    return wanted[1] + (avatar - given[1]) * np.clip(contrast, *_CONTRAST)


def _folded(points: FloatArray, position: FloatArray) -> FloatArray:
    """Fold points [n, 3] outside of a cone about the head's centre back into its rim."""
    centre = np.array(_FOLD_CENTRE)
    axis = (position - centre) / np.linalg.norm(position - centre)
    inner, outer = np.radians(_FOLD_DEG)
    away = points - centre
    radius = np.linalg.norm(away, axis=1)
    direction = away / np.maximum(radius[:, None], 1e-9)
    along = direction @ axis
    across = direction - along[:, None] * axis
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    angle = np.arccos(np.clip(along, -1, 1))
    wave = np.abs((angle - outer) / (outer - inner)) % 2
    wave = np.where(wave > 1, 2 - wave, wave)  # 0 at the rim, 1 at the inner edge
    angle = np.where(angle > outer, outer - wave * (outer - inner), angle)
    turned = np.cos(angle)[:, None] * axis + np.sin(angle)[:, None] * across
    return centre + radius[:, None] * turned
