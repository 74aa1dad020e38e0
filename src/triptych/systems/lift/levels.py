"""Planes that learn at several sizes at once: coarse levels move far, fine ones hold detail."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from triptych.camera import Camera
from triptych.fields.triplane import TriPlaneField
from triptych.portrait import TriPlanePortrait
from triptych.systems.lift.settings import LiftSettings
from triptych.training.damping import damped_epsilon

_BETAS = (0.9, 0.99)
_FIRST_MEAN = 10  # steps after which the running mean forgets as slowly as is set


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
            _channels_last(torch.zeros(*shape, side, side, device=device)).requires_grad_()
            for side in settings.plane_sizes
        ]
        self.use(len(self._levels))
        self.decoder = copy.deepcopy(avatar.decoder).requires_grad_(settings.tune_decoder)
        groups: list[dict[str, Any]] = [
            {"params": [level], "lr": rate}
            for level, rate in zip(self._levels, settings.plane_rates, strict=True)
        ]
        if settings.tune_decoder:
            groups.append({"params": [*self.decoder.parameters()], "lr": settings.decoder_rate})
        self._rates = [group["lr"] for group in groups]
        self._optimiser = torch.optim.Adam(groups, betas=_BETAS, fused=True)
        self._learning = [tensor for group in groups for tensor in group["params"]]
        self._mean: list[Tensor] = []
        self._steps = 0

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

    def planes(self) -> Tensor:
        """Return the sum of the levels in use [1, 3, c, h, h]."""
        total = self._used[0]
        for level in self._used[1:]:
            total = _resized(total, level.shape[-1]) + level
        return (self._base + total)[None]

    def field(self, planes: Tensor) -> TriPlaneField:
        """Return the field of planes [1, 3, c, h, h]."""
        avatar = self.avatar
        config = avatar.config
        return TriPlaneField(
            planes, self.decoder, avatar.box_size, config.plane_axes, config.beyond_box
        )

    def begin(self) -> None:
        """Begin a phase: the running mean starts anew."""
        self._mean, self._steps = [], 0

    def step(self, loss: Tensor, factor: float) -> None:
        """Go one step down the gradient of a loss.

        Args:
            loss: What to make smaller.
            factor: Multiplies all rates.
        """
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = factor * rate
            group["eps"] = damped_epsilon(
                self._optimiser, group["params"][0], self._settings.damping
            )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        with torch.no_grad():
            if not self._mean:
                self._mean = [tensor.detach().clone() for tensor in self._learning]
            self._steps += 1
            keep = min(self._settings.keep, self._steps / (_FIRST_MEAN - 1 + self._steps))
            for mean, tensor in zip(self._mean, self._learning, strict=True):
                mean.lerp_(tensor, 1 - keep)

    @torch.no_grad()
    def end(self) -> None:
        """End a phase: the levels become their running mean."""
        for mean, tensor in zip(self._mean, self._learning, strict=True):
            tensor.copy_(mean)

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
