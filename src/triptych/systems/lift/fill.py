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
_TIE = 5e-4  # to the recoloured avatar
_REGION_TIE, _LOOSE_TIE = 0.1, 1e-7  # to the regions that views show, and where none does
_SHARPER = 6.0  # power of shares that are carried on
_UPWARDS = 0.02  # weight of edges up and down, where level ones have 1: regions go round a head
_KNOWN = (0.3, 0.8)
_LEAST_SAMPLES = 50
_PLAIN = 0.7  # share of the avatar's shades of hair and cloth that is left out
_CONTRAST = (0.5, 1.6)  # least and most factor of a region's spread of colours
_GUIDE_SMOOTHING = 8
_FINE_SMOOTHING = 25
_FOLD_DEG = (30.0, 58.0)  # of the cone round the photo's axis from which structure is taken
_FOLD_CENTRE = (0.0, 0.03, -0.02)
_FOLD_REACH = 0.08  # radians between a folded place and the seen one that it takes after
_FINE_STRENGTH = 0.8
_FINEST = 1.8  # deviations beyond which structure is no hair but an edge


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


def carried(surface: Surface, shares: FloatArray, known: FloatArray) -> FloatArray:
    """Return shares of the groups [n, g] that are smooth, and carried on to where none is known.

    They solve Laplace's equation with ties to what is known, level edges first: what the sides show
    at a height meets behind at that height.

    Args:
        surface: The mesh.
        shares: Shares of the groups [n, g].
        known: In how many views each vertex's was read, 1 at most [n].
    """
    tie = _REGION_TIE * known + _LOOSE_TIE
    first, second = surface.edges.T
    along = surface.vertices[second] - surface.vertices[first]
    steep = along[:, 1] ** 2 / np.maximum((along**2).sum(axis=1), 1e-20)
    matrix = surface.laplacian(np.maximum(1 - steep, _UPWARDS)) + sparse.diags(tie)
    smooth = np.clip(splu(matrix.tocsc()).solve(tie[:, None] * shares), 0, None)
    smooth **= 1 + (_SHARPER - 1) * (1 - smoothstep(known, *_KNOWN))[:, None]
    return smooth / np.maximum(smooth.sum(axis=1, keepdims=True), 1e-6)


def without_back(avatar: FloatArray, regions: FloatArray, known: FloatArray) -> FloatArray:
    """Put each region's median in place of the avatar's colours [n, 3] where no view knew it.

    A generator that has seen faces from the front alone shows the face behind the head too. Hair
    and cloth keep a part of the avatar's shades only, which are those of another cut.
    """
    plain = np.zeros_like(avatar)
    for share in regions.T:
        seen = share * known > 0.5
        middle = np.median(avatar[seen], axis=0) if seen.sum() >= _LEAST_SAMPLES else 0.5
        plain += share[:, None] * middle
    own = smoothstep(known, *_KNOWN) * (1 - _PLAIN * (regions[:, HAIR] + regions[:, CLOTH]))
    return own[:, None] * avatar + (1 - own[:, None]) * plain


def joined(
    surface: Surface,
    photo: FloatArray,
    guide: FloatArray,
    confidence: FloatArray,
    regions: FloatArray,
    mirrored: FloatArray | None = None,
    use: FloatArray | None = None,
) -> FloatArray:
    """Return colours [n, 3] that follow the photo where it is trusted, else the guide's gradients.

    Args:
        surface: The mesh.
        photo: Colours of the photo at the vertices [n, 3].
        guide: The recoloured avatar [n, 3].
        confidence: Trust in the photo [n].
        regions: Shares of the groups [n, g].
        mirrored: Colours of the other side [n, 3], whose gradients replace the guide's.
        use: How far they do [n]; nowhere when None.
    """
    first, second = surface.edges.T
    guide = surface.smoothed(guide, _GUIDE_SMOOTHING)
    alike = np.maximum(_ACROSS_REGIONS, (regions[first] * regions[second]).sum(axis=1))
    slopes = surface.laplacian(alike)
    data = confidence**2
    wanted = slopes @ guide
    if mirrored is not None and use is not None:
        share = np.minimum(use[first], use[second]) * alike
        wanted += surface.laplacian(share) @ (mirrored - guide)
    right = wanted + data[:, None] * photo + _TIE * guide
    return splu((slopes + sparse.diags(data + _TIE)).tocsc()).solve(right)


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
    directions, folded = _folded(surface.vertices, position)
    added = np.zeros_like(photo)
    for group in (HAIR, CLOTH):
        seen = (confidence > 0.7) & (regions[:, group] > 0.6)
        unseen = (confidence < 0.98) & (regions[:, group] > 0.3)
        if seen.sum() < 4 * _LEAST_SAMPLES or not unseen.any():
            continue
        fine = _without_mean(surface, photo, confidence * regions[:, group])
        limit = _FINEST * np.abs(fine[seen]).mean(axis=0)
        fine = np.clip(fine, -limit, limit)
        away, nearest = cKDTree(directions[seen]).query(folded[unseen])
        share = regions[unseen, group] * np.exp(-((away / _FOLD_REACH) ** 2))
        added[unseen] += fine[seen][nearest] * share[:, None]
    return _FINE_STRENGTH * added


def _without_mean(surface: Surface, colours: FloatArray, weight: FloatArray) -> FloatArray:
    """Return colours [n, 3] less their weighted mean over neighbours."""
    weight = weight[:, None] + 1e-4
    sums = surface.smoothed(np.hstack([colours * weight, weight]), _FINE_SMOOTHING)
    return colours - sums[:, :3] / sums[:, 3:]


def _moved(avatar: FloatArray, photo: FloatArray, weight: FloatArray) -> FloatArray:
    """Move colours along the line of the photo's shades, as bright as the avatar's are."""
    for least in (0.5, 0.15):
        chosen = weight > least
        if chosen.sum() >= _LEAST_SAMPLES:
            break
    else:
        return avatar
    light = avatar.mean(axis=1)
    dark, middle, bright = np.percentile(photo[chosen], (16, 50, 84), axis=0)
    low, centre, high = np.percentile(light[chosen], (16, 50, 84))
    spread = max((bright - dark).mean(), 1e-3)
    contrast = np.clip(spread / max(high - low, 0.02), *_CONTRAST)
    return middle + ((light - centre) * contrast)[:, None] * (bright - dark) / spread


def _folded(points: FloatArray, position: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return unit directions [n, 3] from the head's centre, and the same folded into a cone.

    Those outside of the cone round the way to the camera go to and fro over its rim.
    """
    centre = np.array(_FOLD_CENTRE)
    axis = (position - centre) / np.linalg.norm(position - centre)
    inner, outer = np.radians(_FOLD_DEG)
    away = points - centre
    direction = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    along = direction @ axis
    across = direction - along[:, None] * axis
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    angle = np.arccos(np.clip(along, -1, 1))
    wave = np.abs((angle - outer) / (outer - inner)) % 2
    wave = np.where(wave > 1, 2 - wave, wave)  # 0 at the rim, 1 at the inner edge
    angle = np.where(angle > outer, outer - wave * (outer - inner), angle)
    return direction, np.cos(angle)[:, None] * axis + np.sin(angle)[:, None] * across
