"""How near a portrait comes to the photo it was made of, and to the head behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import procrustes
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import Camera, look_at_camera
from triptych.metrics.identity import IdentityFeatures, identity_similarity
from triptych.metrics.image_metrics import masked_psnr
from triptych.metrics.perceptual import PerceptualDistance
from triptych.metrics.reprojection import PosedViews, view_consistency_error
from triptych.ops.colour import to_uint8
from triptych.ops.resize import resize
from triptych.photos.detectors.face import Face, Pixels
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.evaluation.heads import HeadToLift, axial_depth
from triptych.systems.lift.landmarks import LandmarkFinder
from triptych.systems.lift.pinhole import FloatArray
from triptych.systems.lift.silhouette import Mask

YAWS_DEG = (0, -15, 15, -30, 30, -60, 60)
"""Sides from which heads are compared; positive ones are on the side of the photo's camera."""
TURN_DEG = 30
"""Turn at which landmarks are compared, to both sides."""

_FACE = (1, 2, 3, 4, 5)  # regions of avatars: face, eyes, brows, mouth and nose
_NEIGHBOUR_YAW = 0.1
_OPAQUE = 0.5


@dataclass(frozen=True)
class LiftMetrics:
    """What measures pictures.

    Attributes:
        distance: Perceptual distance.
        identity: Identity features.
        landmarks: Finds landmarks.
        find_faces: Finds faces with their pose in uint8 pixels [h, w, 3], the largest first.
        size: Side in pixels of all pictures that are compared.
    """

    distance: PerceptualDistance
    identity: IdentityFeatures
    landmarks: LandmarkFinder
    find_faces: Callable[[Pixels], list[Face]]
    size: int = 256

    def similar(self, pred: Tensor, true: Tensor) -> float:
        """Return the cosine of identity of two pictures [1, 3, h, h]."""
        return float(identity_similarity(self.identity, pred, true).mean())


@torch.no_grad()
def figures_of(
    portrait: TriPlanePortrait, head: HeadToLift, person: Mask, metrics: LiftMetrics
) -> dict[str, float]:
    """Measure one portrait; figures that cannot be had are nan.

    Args:
        portrait: What was made of the photo.
        head: The photo, and its head where that is known.
        person: Pixels of the photo that show the person [s, s].
        metrics: Networks and detectors.
    """
    figures = {"psnr": _photo_psnr(portrait, head, person, metrics.size)}
    if head.truth is not None:
        figures |= _against_truth(portrait, head, metrics)
    else:
        figures |= _landmark_shape(portrait, head, metrics)
    return figures | {"view inconsistency": _inconsistency(portrait, head.camera)}


def rendered(portrait: TriPlanePortrait, camera: Camera, size: int) -> Tensor:
    """Return a portrait's pictures [v, 3, size, size] in [-1, 1], on the CPU."""
    camera = camera.to(portrait.planes.device)
    return portrait.render(camera, size).image.clamp(-1, 1).cpu()


def _photo_psnr(portrait: TriPlanePortrait, head: HeadToLift, person: Mask, size: int) -> float:
    shown = resize(torch.from_numpy(person)[None, None].float(), size) > _OPAQUE
    pred = rendered(portrait, head.camera, size)
    return float(masked_psnr(pred, resize(head.image, size), shown).mean())


def _against_truth(
    portrait: TriPlanePortrait, head: HeadToLift, metrics: LiftMetrics
) -> dict[str, float]:
    assert head.truth is not None
    side = -1 if float(head.camera.yaw) < -1e-3 else 1
    figures = {}
    size = metrics.size
    photo, photo_true = rendered(portrait, head.camera, size), resize(head.image, size)
    figures["perceptual"] = float(metrics.distance(photo, photo_true).mean())
    figures["identity"] = metrics.similar(photo, photo_true)
    for degrees in YAWS_DEG:
        camera = look_at_camera(math.radians(side * degrees), 0.0)
        true = head.truth(camera, size).to("cpu")
        pred = rendered(portrait, camera, size)
        at = f"at {degrees}"
        figures[f"psnr {at}"] = float(masked_psnr(pred, true.image, true.alpha > _OPAQUE).mean())
        figures[f"perceptual {at}"] = float(metrics.distance(pred, true.image).mean())
        figures[f"identity {at}"] = metrics.similar(pred, true.image)
        if degrees == 0:
            figures |= _depth_errors(portrait, camera, true)
        if degrees in (0, -TURN_DEG, TURN_DEG):
            figures[f"landmarks {at}"] = _landmark_error(pred, true.image, metrics.landmarks)
    return figures


def _depth_errors(portrait: TriPlanePortrait, camera: Camera, true: TrueViews) -> dict[str, float]:
    """Return mean and median error of the face's depth, in % of the face's width."""
    assert true.depth is not None, "known heads have depth"
    size = true.image.shape[-1]
    view = portrait.render(camera.to(portrait.planes.device), size)
    depth = axial_depth(camera, resize(view.depth, size)[:, 0].cpu())
    face = torch.isin(true.regions, torch.tensor(_FACE)) & (true.depth > 0)
    columns = face[0].any(dim=0).nonzero()
    both = face & (resize(view.alpha, size)[:, 0].cpu() > 0.9) & depth.isfinite()
    if not bool(both.any()):
        return {"depth error": math.nan, "median depth error": math.nan}
    pixels = float(columns.max() - columns.min() + 1)
    focal = float(camera.intrinsics[0, 0, 0]) * size
    width = pixels / focal * float(true.depth[face].mean())
    error = (depth - true.depth)[both].abs() / width * 100
    return {"depth error": float(error.mean()), "median depth error": float(error.median())}


def _landmark_error(pred: Tensor, true: Tensor, finder: LandmarkFinder) -> float:
    """Return the mean distance of landmarks in two pictures, in % of the face's width."""
    found, known = (_landmarks(finder, image) for image in (pred, true))
    if found is None or known is None:
        return math.nan
    away = np.linalg.norm((found - known)[:, :2], axis=1).mean()
    return float(away / np.ptp(known[:, 0]) * 100)


def _landmark_shape(
    portrait: TriPlanePortrait, head: HeadToLift, metrics: LiftMetrics
) -> dict[str, float]:
    """Return what the detector says of turned renders, beside what it says of the photo."""
    own = _landmarks(metrics.landmarks, head.image)
    figures = {}
    for degrees in (-TURN_DEG, TURN_DEG):
        yaw = float(head.camera.yaw) + math.radians(degrees)
        camera = look_at_camera(yaw, float(head.camera.pitch))
        pred = rendered(portrait, camera, metrics.size)
        found = _landmarks(metrics.landmarks, pred)
        shape = math.nan if own is None or found is None else shape_difference(found, own)
        figures[f"landmark shape at {degrees}"] = shape
        faces = metrics.find_faces(to_uint8(pred)[0].numpy())
        away = abs(faces[0].yaw - yaw) if faces else math.nan
        figures[f"yaw error at {degrees}"] = math.degrees(away)
    return figures


def shape_difference(found: FloatArray, own: FloatArray) -> float:
    """Return how two sets of landmarks [k, 3] differ in shape.

    Returns:
        Root mean square of their distances in % of the second's width, after the similarity that
        lays one over the other best.
    """
    scale = np.linalg.norm(own - own.mean(axis=0)) / math.sqrt(len(own))
    *_, disparity = procrustes(own, found)
    return float(math.sqrt(max(disparity, 0.0)) * scale / np.ptp(own[:, 0]) * 100)


def _landmarks(finder: LandmarkFinder, image: Tensor) -> FloatArray | None:
    return finder(to_uint8(image)[0].numpy())


def _inconsistency(portrait: TriPlanePortrait, camera: Camera) -> float:
    """Return how much neighbouring views disagree about the surface's colours, in %."""
    yaws = float(camera.yaw) + torch.tensor([-_NEIGHBOUR_YAW, 0.0, _NEIGHBOUR_YAW])
    cameras = look_at_camera(yaws, camera.pitch.cpu().expand(3)).to(portrait.planes.device)
    view = portrait.render(cameras, portrait.config.render_size)
    views = PosedViews(view.image, view.depth, view.alpha, cameras)
    return 100 * view_consistency_error(views)
