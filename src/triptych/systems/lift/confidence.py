"""How far each surface point's colour in the photo is to be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pinhole import FloatArray, sampled, smoothstep
from triptych.systems.lift.silhouette import Mask, depth_inside
from triptych.systems.lift.surface import Surface

_FACING = (0.2, 0.5)  # cosines between normal and view: from nothing to full trust
_SURELY_FACING = (0.55, 0.85)  # from here on the photo is right about the region
_BEHIND = 0.006  # world units within which a point counts as the one that is seen
_STEP_BEHIND = (0.02, 0.05)  # world units behind a nearer part of another region
_STEP_WIDTH = 17  # pixels round a nearer part
_FROM_OUTLINE, _FROM_PHOTO_EDGE = (3.0, 9.0), (3.0, 12.0)  # pixels
_OTHER_REGION = (0.3, 0.8)  # share of the photo's region that is not the surface's
_SMOOTHING, _NORMAL_SMOOTHING = 4, 6


def confidence_of(
    surface: Surface, photo: Photograph, regions: FloatArray, seen_regions: FloatArray
) -> FloatArray:
    """Return the confidence [n] in 0..1 of the photo's colour at each vertex.

    It is the product of: facing the camera; being what the camera sees; lying inside the person's
    outline and the photo; and showing the region that is expected there, unless seen from straight
    ahead and not beside something nearer, whose outline may lie elsewhere in the photo.

    Args:
        surface: The likeness.
        photo: The photo.
        regions: Shares of the groups at the vertices, from the avatar [n, g].
        seen_regions: The same as the photo shows them [n, g].
    """
    pinhole = photo.pinhole
    unit = photo.size / 512
    pixels, along = pinhole.project(surface.vertices)
    facing = facing_of(surface, pinhole.position)
    depth = surface.rasterised(pinhole).depth
    far = np.where(np.isfinite(depth), depth, 0.0)
    visible = along < sampled(ndimage.maximum_filter(far, 3), pixels) + _BEHIND
    nearer = ndimage.minimum_filter(depth, max(3, round(_STEP_WIDTH * unit)))
    step = along - sampled(np.where(np.isfinite(nearer), nearer, 99.0), pixels)
    confidence = smoothstep(facing, *_FACING) * visible
    confidence *= _inside(photo.person, pixels, _FROM_OUTLINE, unit)
    edge = np.pad(photo.inside, 1, mode="edge")
    if not edge.all():
        confidence *= _inside(photo.inside, pixels, _FROM_PHOTO_EDGE, unit)
    confidence *= ((pixels > 1) & (pixels < photo.size - 1)).all(axis=1)
    other = 1 - (regions * seen_regions).sum(axis=1)
    sure = smoothstep(facing, *_SURELY_FACING) * (1 - smoothstep(step, *_STEP_BEHIND))
    confidence *= 1 - smoothstep(other, *_OTHER_REGION) * (1 - sure)
    return np.minimum(confidence, surface.smoothed(confidence, _SMOOTHING))


def facing_of(surface: Surface, position: FloatArray) -> FloatArray:
    """Return the cosine [n] between each vertex's smoothed normal and the way to a camera."""
    normals = surface.smoothed(surface.normals, _NORMAL_SMOOTHING)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    towards = position - surface.vertices
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    return (normals * towards).sum(axis=1)


def _inside(mask: Mask, pixels: FloatArray, ramp: tuple[float, float], unit: float) -> FloatArray:
    return smoothstep(sampled(depth_inside(mask), pixels), ramp[0] * unit, ramp[1] * unit)
