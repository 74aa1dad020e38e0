"""Turning the camera of a picture until the inversion fits it better."""

from __future__ import annotations

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.models.eg3d import TriPlaneGenerator
from triptych.photos.camera_refinement import RefinedCamera, RefinementConfig, refine_camera
from triptych.systems.invert.head_views import HeadViews
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import InversionTarget


def refined_camera(
    generator: TriPlaneGenerator,
    target: InversionTarget,
    ws: Tensor,
    settings: InvertSettings,
) -> RefinedCamera:
    """Return the camera from which the head of style codes [1, k, d] looks most like the picture.

    Models whose photos are turned upright never saw a rolled head; for them the roll stays.
    """
    views = HeadViews(generator, settings.views)
    draw = views.draw(1, True, torch.Generator().manual_seed(settings.seed))
    with torch.no_grad():
        planes = generator.planes(ws).float()

    def render(camera: Camera) -> Tensor:
        return views.pair(planes, ws, camera, target.image, draw).pred

    framing = generator.config.photo_framing()
    config = RefinementConfig(steps=settings.camera_steps, roll=not framing.upright)
    return refine_camera(render, views.cut(target.image, draw), target.camera, config)
