"""Figures of one edit: style, identity, likeness to the truly styled head, consistency, time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.camera import Camera, look_at_camera
from triptych.metrics.identity import identity_kept
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import StyleNetworks
from triptych.metrics.reprojection import PosedViews, view_consistency_error
from triptych.metrics.style_classifier import style_recognised
from triptych.ops.resize import resize_bilinear
from triptych.portrait import Portrait
from triptych.systems.edit.evaluation.methods import Answer

SIDE_DEG = 30
_NEIGHBOUR_YAW = 0.1
MEASURES = (
    "named",
    "named at 30",
    "identity kept",
    "psnr",
    "psnr at 30",
    "perceptual",
    "perceptual at 30",
    "inconsistency",
    "ms edit",
    "ms view",
)


def side_cameras() -> Camera:
    """Return the cameras at 30 degrees to both sides."""
    angle = math.radians(SIDE_DEG)
    return look_at_camera(torch.tensor([-angle, angle]), 0.0)


@dataclass(frozen=True, eq=False)
class Truth:
    """What an edit is compared with.

    Attributes:
        camera: Of the photo.
        front: The head truly in the style from there [1, 3, s, s].
        sides: The same from both sides [2, 3, s, s].
        source: Identity features of the photo [1, d].
        other: Of another head's photo [1, d].
    """

    camera: Camera
    front: Tensor
    sides: Tensor
    source: Tensor
    other: Tensor


@torch.no_grad()
def figures_of(
    answer: Answer, style: str, truth: Truth, networks: StyleNetworks
) -> tuple[dict[str, float], Tensor]:
    """Return the figures of an edit by name, and its pictures [1 or 3, 3, s, s].

    Args:
        answer: Picture or portrait.
        style: What was asked for.
        truth: See `Truth`.
        networks: Classifier, identity and perceptual distance.
    """
    size, portrait = truth.front.shape[-1], answer.portrait
    figures: dict[str, float] = {}
    if answer.seconds is not None:
        figures["ms edit"] = 1000 * answer.seconds
    if portrait is None:
        assert answer.picture is not None
        front = resize_bilinear(answer.picture, size, antialias=True).clamp(-1, 1)
        pictures = front
    else:
        started = time.process_time()
        front = portrait.render(truth.camera, size).image.clamp(-1, 1)
        figures["ms view"] = 1000 * (time.process_time() - started)
        sides = portrait.render(side_cameras().to(front.device), size).image.clamp(-1, 1)
        pictures = torch.cat([front, sides])
        named = style_recognised(networks.classifier, sides, style)
        figures["named at 30"] = float(named.float().mean())
        figures["psnr at 30"] = float(psnr(sides, truth.sides).mean())
        figures["perceptual at 30"] = float(networks.distance(sides, truth.sides).mean())
        consistency = _inconsistency(portrait, size)
        if math.isfinite(consistency):
            figures["inconsistency"] = consistency
    kept = identity_kept(networks.identity.embed(front), truth.source, truth.other)
    figures |= {
        "named": float(style_recognised(networks.classifier, front, style)),
        "identity kept": float(kept),
        "psnr": float(psnr(front, truth.front)),
        "perceptual": float(networks.distance(front, truth.front)),
    }
    return figures, pictures


def _inconsistency(portrait: Portrait, size: int) -> float:
    """Return the re-projection error between views 6 degrees apart, in % of the colour range."""
    yaw = torch.tensor([-_NEIGHBOUR_YAW, 0.0, _NEIGHBOUR_YAW])
    camera = portrait.orbit(yaw, torch.zeros(3))
    view = portrait.render(camera, portrait.ray_size or size)
    posed = PosedViews(view.image_raw, view.depth, view.alpha, camera.to(view.depth.device))
    return 100 * view_consistency_error(posed)
