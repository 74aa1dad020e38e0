"""Planes that learn at several sizes at once: coarse levels move far, fine ones hold detail."""

from __future__ import annotations

import copy
import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.fields.triplane import TriPlaneField
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.damped_adam import DampedAdam
from triptych.systems.lift.settings import LiftSettings


class PlaneLevels:
    """The planes of an avatar plus levels of rising size, with their optimiser.

    Args:
        avatar: Its planes are the base; its decoder reads the sum.
        settings: Sizes and rates.
    """

    def __init__(self, avatar: TriPlanePortrait, settings: LiftSettings) -> None:
        self.avatar, self._settings = avatar, settings
        self._avatar_planes = _reduced(avatar.planes[0], settings.base_size)
        shape, device = avatar.planes.shape[1:3], avatar.planes.device
        self._levels = [
            _channels_last(torch.zeros(*shape, side, side, device=device))
            for side in settings.plane_sizes
        ]
        self.use(len(self._levels))
        self.decoder = copy.deepcopy(avatar.decoder).requires_grad_(settings.tune_decoder)
        decoder = list(self.decoder.parameters()) if settings.tune_decoder else []
        rates = [*settings.plane_rates, *[settings.decoder_rate] * len(decoder)]
        self._optimiser = DampedAdam(
            [*self._levels, *decoder], rates, damping=settings.damping, keep=settings.keep
        )

    @property
    def number(self) -> int:
        """How many levels there are."""
        return len(self._levels)

    def use(self, number: int) -> None:
        """Add up the coarsest levels only, which are quicker; the others do not learn.

        Args:
            number: How many levels count.
        """
        self._used = self._levels[:number]
        self.size = self._used[-1].shape[-1]
        self._base = _channels_last(_resized(self._avatar_planes, self.size))

    @torch.no_grad()
    def planes(self) -> Tensor:
        """Return the sum of the levels in use [1, 3, c, h, h]; its gradient is that of a step."""
        total = self._used[0]
        for level in self._used[1:]:
            total = _resized(total, level.shape[-1]).add_(level)
        return (self._base + total)[None].requires_grad_()

    def field(self, planes: Tensor) -> TriPlaneField:
        """Return the field of planes [1, 3, c, h, h]."""
        avatar = self.avatar
        config = avatar.config
        return TriPlaneField(
            planes, self.decoder, avatar.box_size, config.plane_axes, config.beyond_box
        )

    def begin(self) -> None:
        """Begin a phase: the running mean starts anew."""
        self._optimiser.begin()

    def step(self, planes: Tensor, loss: Tensor, factor: float) -> None:
        """Go one step down the gradient of a loss.

        Args:
            planes: What the loss was computed of.
            loss: What to make smaller.
            factor: Multiplies all rates.
        """
        loss.backward()  # type: ignore[no-untyped-call]
        assert planes.grad is not None
        gradient = planes.grad[0]
        for level in reversed(self._used):
            gradient = _gathered(gradient, level.shape[-1])
            level.grad = gradient
        self._optimiser.step(factor)

    def end(self) -> None:
        """End a phase: the levels become their running mean."""
        self._optimiser.end()

    @torch.no_grad()
    def portrait(self, camera: Camera) -> TriPlanePortrait:
        """Return the portrait so far, with a default camera."""
        config, size = self.avatar.config, self._settings.image_size
        backbone = dataclasses.replace(config.backbone, plane_size=self.size)
        return dataclasses.replace(
            self.avatar,
            planes=self.planes().detach().contiguous(),
            decoder=copy.deepcopy(self.decoder).eval().requires_grad_(False),
            config=dataclasses.replace(
                config, backbone=backbone, image_size=size, render_size=size
            ),
            camera=camera,
            provenance={},
        )


def rate_factor(step: int, steps: int, first: float, last: float, ramp: int) -> float:
    """Return a factor that rises over `ramp` steps and falls from first to last as a cosine."""
    fall = last + (first - last) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / ramp) * fall


def _channels_last(planes: Tensor) -> Tensor:
    """Lay out planes [3, c, h, h] as points are read from them: a place's channels together."""
    return planes.contiguous(memory_format=torch.channels_last)


def _reduced(planes: Tensor, side: int) -> Tensor:
    """Return planes [3, c, h, h] without what is finer than `side` places."""
    if planes.shape[-1] <= side:
        return planes
    small = functional.interpolate(planes, size=(side, side), mode="area")
    return _resized(small, planes.shape[-1])


def _resized(planes: Tensor, side: int) -> Tensor:
    if planes.shape[-1] == side:
        return planes
    size = (side, side)
    return functional.interpolate(planes, size=size, mode="bilinear", align_corners=False)


def _gathered(gradient: Tensor, side: int) -> Tensor:
    """Return the gradient at planes [3, c, side, side] of what `_resized` made of them."""
    size = gradient.shape[-1]
    if size == side:
        return gradient
    shape = [*gradient.shape[:2], side, side]
    return torch.ops.aten.upsample_bilinear2d_backward(gradient, [size, size], shape, False)
