"""The ways from a photo to a portrait that an evaluation compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.ops.resize import resize
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.evaluation.heads import HeadToLift
from triptych.systems.lift.likeness import Lifted
from triptych.systems.lift.photograph import Photograph
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.systems.lift.settings import LiftSettings
from triptych.systems.lift.warp import filled_front
from triptych.training.plane_fitting import DepthViews, PlaneFitConfig, PlaneFitting

FOUND, PHOTO_ONLY, UNWARPED, LIFT = (
    "avatar found",
    "photo-only planes",
    "lift without warp",
    "lift",
)


class Rival(Protocol):
    """Other methods, which a front end brings along."""

    def plan(self) -> Mapping[str, Any]:
        """Return what decides their portraits, as JSON values."""

    def __call__(self, person: Tensor, camera: Camera) -> Mapping[str, TriPlanePortrait]:
        """Return each method's portrait, by its name.

        Args:
            person: A person over the plain background [1, 3, s, s] in [-1, 1].
            camera: Its camera, one view.
        """


def answers(
    pipeline: LiftPipeline,
    head: HeadToLift,
    settings: LiftSettings,
    photo_fit: PlaneFitConfig,
    rival: Rival | None,
    *,
    alone: bool = False,
) -> tuple[dict[str, TriPlanePortrait], Lifted]:
    """Return what every method makes of a photo, by name, and the lift itself.

    Args:
        pipeline: Lifts.
        head: The photo.
        settings: Of the lift.
        photo_fit: How planes are fitted to the photo alone.
        rival: Other methods; they come first.
        alone: Nothing but the lift.
    """

    def lifted_with(settings: LiftSettings, avatar: TriPlanePortrait | None = None) -> Lifted:
        return pipeline.lift(
            head.image,
            head.camera,
            inside=head.inside,
            anyway=True,
            settings=settings,
            avatar=avatar,
        )

    lifted = lifted_with(settings)
    if alone:
        return {LIFT: lifted.portrait}, lifted
    photo = lifted.confidence.colours.photo
    person = photo.person_over(pipeline.generator.config.rendering.background)
    found = {} if rival is None else dict(rival(person, head.camera))
    found[FOUND] = lifted.avatar
    found[PHOTO_ONLY] = photo_only(lifted.avatar, photo, person, photo_fit)
    unwarped = dataclasses.replace(settings, warp=False)
    found[UNWARPED] = lifted_with(unwarped, lifted.avatar).portrait
    found[LIFT] = lifted.portrait
    return found, lifted


def photo_only(
    avatar: TriPlanePortrait,
    photo: Photograph,
    person: Tensor,
    config: PlaneFitConfig,
) -> TriPlanePortrait:
    """Fit an avatar's planes to one photo and nothing else.

    Args:
        avatar: The head to start from; rays are sampled round its surface.
        photo: The measured photo.
        person: Its person over the plain background [1, 3, s, s].
        config: How to fit; the depth is not compared.
    """
    size, pinhole = avatar.image_size, photo.pinhole
    camera = photo.camera.to(avatar.planes.device)
    view = avatar.render(camera, photo.size)
    alpha = view.alpha[0, 0].cpu().double().numpy()
    front = filled_front(pinhole.along_axis(view.depth[0, 0].cpu().double().numpy()), alpha)
    shown = resize(torch.from_numpy(photo.person)[None, None].float(), size)[0]
    depth = resize(torch.from_numpy(np.ascontiguousarray(front))[None, None].float(), size)[0]
    device = avatar.planes.device
    views = DepthViews(
        resize(person, size).to(device),
        shown.to(device),
        torch.where(shown > 0, depth, torch.zeros_like(depth)).to(device),
        camera.cam2world,
        float(camera.intrinsics[0, 0, 0]),
    )
    with torch.enable_grad():
        fitting = PlaneFitting(
            avatar.field, views, avatar.rendering, dataclasses.replace(config, depth=0.0)
        )
        return dataclasses.replace(avatar, planes=fitting.run())
