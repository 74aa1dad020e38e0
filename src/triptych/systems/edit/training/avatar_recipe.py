"""What both avatar recipes share: photos at the encoder's size, pictures of planes, a rate."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from triptych.ops.resize import resize_bilinear
from triptych.systems.edit.network import PortraitEncoder
from triptych.training.avatar_views import AvatarViews

FULL_RATE_INPUTS = 32
"""Layers with more inputs learn slower; see `training.parameter_groups.grouped_by_inputs`."""


def as_photo(network: PortraitEncoder, picture: Tensor) -> Tensor:
    """Return pictures [b, 3, h, h] at the size of an encoder's photos."""
    return resize_bilinear(picture, network.config.encoder.image_size, antialias=True)


def shown(network: Any, planes: Tensor, views: AvatarViews, head: int, view: int) -> Tensor:
    """Return the picture [3, s, s] of planes [1, 3, c, h, w] from a camera of a set."""
    camera = views.camera(head, view).to(planes.device)
    return network.portrait(planes).render(camera, size=views.shards.size).image[0]
