"""Refining a camera against the picture itself, through a renderer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.invert.settings import InvertSettings
from triptych.systems.invert.target import InversionTarget
from triptych.training.head_views import HeadViews

Render = Callable[[Camera], Tensor]
"""Shows a head from a camera: an image [1, 3, s, s] in [-1, 1], differentiable in the camera."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""Compares two images [1, 3, s, s]; a number."""

_LEVELS = 3  # the picture, and halved twice: coarse levels pull from afar


@dataclass(frozen=True)
class RefinementConfig:
    """How far and how fast a camera may move.

    Attributes:
        steps: Optimiser steps.
        angle_rate: First step of the three angles, radians.
        shift_rate: First step of the shift across the view, world units.
        largest_turn: Most that the head may turn from where it began, radians.
        largest_shift: Most that the camera may shift, world units.
        roll: Refine the roll too; models that never saw a rolled head want it left alone.
    """

    steps: int = 30
    angle_rate: float = math.radians(1.0)
    shift_rate: float = 0.01
    largest_turn: float = math.radians(12)
    largest_shift: float = 0.08
    roll: bool = True


@dataclass(frozen=True)
class RefinedCamera:
    """The outcome.

    Attributes:
        camera: The best camera found.
        before, after: Distance of render and picture at the first and at the best camera.
        turn: Angle by which the head was turned, radians.
    """

    camera: Camera
    before: float
    after: float
    turn: float


def refine_camera(
    render: Render,
    image: Tensor,
    camera: Camera,
    config: RefinementConfig | None = None,
    *,
    distance: Distance | None = None,
) -> RefinedCamera:
    """Turn and shift a camera until the render fits a picture better.

    The camera orbits the world origin, so its distance stays what the model knows. Nothing is
    returned that is worse than the camera it began with.

    Args:
        render: Renders the head from a camera; through the exact renderer, for instance
            `lambda camera: generator.render(planes, ws, camera).image`.
        image: The aligned picture [1, 3, s, s] in [-1, 1], s as rendered.
        camera: Where to begin, one view.
        config: How far and how fast.
        distance: The loss; by default the mean absolute difference at three scales.

    Raises:
        UserError: The camera has several views, or render and picture differ in size.
    """
    if len(camera) != 1:
        raise UserError(f"camera to refine: got {len(camera)} views; expected one")
    config, compare = config or RefinementConfig(), distance or _multiscale_difference
    angle, shift = config.angle_rate, config.shift_rate
    device = camera.cam2world.device
    rates = [angle, angle, angle if config.roll else 0.0, shift, shift]
    step_of = torch.tensor(rates, device=device)
    limit = torch.tensor([config.largest_turn] * 3 + [config.largest_shift] * 2, device=device)
    # pitch, yaw, roll, right, down, in steps
    moves = torch.zeros(5, device=device, requires_grad=True)
    optimiser = torch.optim.Adam([moves], betas=(0.8, 0.95))
    errors: list[float] = []
    best = torch.zeros(5, device=device)
    for step in range(config.steps + 1):
        with torch.enable_grad():
            seen = render(_moved(camera, step_of * moves))
            if seen.shape != image.shape:
                raise UserError(
                    f"camera refinement: render {list(seen.shape)} and picture "
                    f"{list(image.shape)} differ in shape"
                )
            error = compare(seen, image)
            (moves.grad,) = torch.autograd.grad(error, [moves])
        errors.append(float(error.detach()))
        if errors[-1] <= min(errors):
            best = moves.detach().clone()
        optimiser.param_groups[0]["lr"] = 0.1 + 0.45 * (1 + math.cos(math.pi * step / config.steps))
        optimiser.step()
        with torch.no_grad():
            moves.clamp_(-limit / step_of.clamp(min=1e-9), limit / step_of.clamp(min=1e-9))
    moved = step_of * best
    turn = float(moved[:3].norm())
    return RefinedCamera(_moved(camera, moved), errors[0], min(errors), turn)


def _moved(camera: Camera, moves: Tensor) -> Camera:
    """Orbit a camera by pitch, yaw and roll, then shift it across its view.

    Args:
        camera: One view.
        moves: Turns about the camera's own x, y and z axes through the world origin, then shifts
            along its x and y axes at constant distance [5].
    """
    pose = camera.cam2world[0].to(moves)
    own_axes = pose[:3, :3]
    turn = own_axes @ _rotation_of(moves[:3]) @ own_axes.T
    rotation = turn @ own_axes
    position = turn @ pose[:3, 3] + rotation[:, :2] @ moves[3:]
    position = position * (pose[:3, 3].norm() / position.norm())
    upper = torch.cat([rotation, position[:, None]], dim=1)
    return Camera(torch.cat([upper, pose[3:]])[None], camera.intrinsics)


def _rotation_of(turn: Tensor) -> Tensor:
    """Rotation by a turn vector [3], differentiable at zero."""
    x, y, z = turn.unbind()
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
    return torch.linalg.matrix_exp(cross)


def _multiscale_difference(first: Tensor, second: Tensor) -> Tensor:
    total = (first - second).abs().mean()
    for _ in range(_LEVELS - 1):
        first, second = functional.avg_pool2d(first, 2), functional.avg_pool2d(second, 2)
        total = total + (first - second).abs().mean()
    return total / _LEVELS


def refined_camera(
    generator: TriPlaneGenerator,
    target: InversionTarget,
    ws: Tensor,
    settings: InvertSettings,
) -> RefinedCamera:
    """Return the camera from which the head of style codes [1, k, d] fits the picture best.

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
