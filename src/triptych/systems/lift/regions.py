"""Skin, hair, cloth and eyes: read from pictures by the avatar feature network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from triptych.camera import look_at_camera
from triptych.nn.feature_network import WHOLE_HEAD_SIZE, AvatarFeatures
from triptych.ops.resize import resize
from triptych.portrait import Portrait
from triptych.systems.lift.pinhole import FloatArray, Pinhole, sampled

SKIN, HAIR, CLOTH, EYE = range(4)
GROUPS = ((1, 3, 4, 5, 6), (7,), (8,), (2,))
"""Classes of the feature network in each group: skin with brows and mouth, hair, body, eyes."""

_VIEWS = ((0.0, 0.0), (0.7, 0.0), (-0.7, 0.0), (1.5, 0.0), (-1.5, 0.0), (0.0, 0.6), (0.0, -0.5))
"""Yaw and pitch from which the regions of a head are read; the back is not known to the network."""
_SAME_SURFACE = 0.02  # world units
_EMPTY = 9.0


@torch.no_grad()
def region_picture(network: AvatarFeatures, image: Tensor) -> Tensor:
    """Return the probability of each group, and of the background first [b, 5, 128, 128].

    Args:
        network: The feature network.
        image: Heads over the plain background [b, 3, s, s] in [-1, 1].
    """
    probabilities = network.region_logits(network(resize(image, WHOLE_HEAD_SIZE))).softmax(dim=1)
    known = probabilities.shape[1]
    groups = [
        probabilities[:, [index for index in group if index < known]].sum(dim=1) for group in GROUPS
    ]
    return torch.stack([probabilities[:, 0], *groups], dim=1)


def regions_at(
    network: AvatarFeatures,
    portrait: Portrait,
    points: FloatArray,
    views: Sequence[tuple[float, float]] = _VIEWS,
) -> tuple[FloatArray, FloatArray]:
    """Return the share of each group at surface points [n, 3] of a head, read from all sides.

    Returns:
        Shares [n, 4], and in how many views, 1 at most, each point was seen [n].
    """
    total = np.zeros((len(points), len(GROUPS)))
    for yaw, pitch in views:
        camera = look_at_camera(yaw, pitch).to(portrait.camera.cam2world.device)
        view = portrait.render(camera, WHOLE_HEAD_SIZE)
        pinhole = Pinhole.of(camera, WHOLE_HEAD_SIZE)
        groups = region_picture(network, view.image)[0, 1:].permute(1, 2, 0).cpu().numpy()
        depth = pinhole.along_axis(resize(view.depth, WHOLE_HEAD_SIZE)[0, 0].cpu().numpy())
        pixels, along = pinhole.project(points)
        surface = sampled(np.nan_to_num(depth, nan=_EMPTY), pixels, order=0)
        seen = np.abs(surface - along) < _SAME_SURFACE
        seen &= ((pixels > 0) & (pixels < WHOLE_HEAD_SIZE)).all(axis=1)
        total[seen] += sampled(groups, pixels[seen])
    weight = total.sum(axis=1)
    total += 1e-6
    return total / total.sum(axis=1, keepdims=True), np.minimum(weight, 1)
