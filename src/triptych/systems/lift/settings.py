"""How a photo is lifted: resolution of the shape, steps and rates of the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from triptych.config import check_fields
from triptych.errors import UserError, check_choice
from triptych.systems.lift.avatar import Trials

Quality = Literal["draft", "standard"]
QUALITIES: tuple[str, ...] = get_args(Quality)


@dataclass(frozen=True)
class SpaceSettings:
    """Fitting planes to colours and densities of points in space.

    Attributes:
        steps: Optimiser steps.
        surface_points: Points on and just behind the surface, each step.
        photo_points: Such points seen by pixels of the photo.
        density_points: Points for the density alone: near the surface, around it, and in the box.
        density_weight: Weight of the density's mean absolute error, clipped to +-40.
        finest_from: Share of the steps after which the finest level learns too.
        first_rate, last_rate: Factors of the levels' rates at the first and at the last step.
    """

    steps: int = 130
    surface_points: int = 8192
    photo_points: int = 4096
    density_points: int = 8000
    density_weight: float = 0.02
    finest_from: float = 0.6
    first_rate: float = 1.0
    last_rate: float = 0.05

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=(0, 100_000),
            surface_points=(1, 1_000_000),
            photo_points=(1, 1_000_000),
            density_points=(6, 1_000_000),
            density_weight=(0, 1e6),
            finest_from=(0, 1),
            first_rate=(0, 100),
            last_rate=(0, 100),
        )


@dataclass(frozen=True)
class RaySettings:
    """Fitting planes through the renderer.

    Attributes:
        steps: Optimiser steps.
        rays: Rays of each step; half of them from the photo's camera.
        front_views, side_views: Views drawn around the front and all round.
        size: Side of these views in pixels.
        near_samples, spread_samples: Samples per ray, round the surface and along all of the ray.
        alpha_weight: Weight of the error of how much of the background is hidden.
        density_weight: As in space.
        density_points: As in space.
        first_rate, last_rate: As in space.
    """

    steps: int = 60
    rays: int = 2048
    front_views: int = 30
    side_views: int = 10
    size: int = 256
    near_samples: int = 8
    spread_samples: int = 4
    alpha_weight: float = 0.3
    density_weight: float = 0.02
    density_points: int = 3500
    first_rate: float = 0.4
    last_rate: float = 0.02

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=(0, 100_000),
            rays=(12, 1_000_000),
            front_views=(1, 1000),
            side_views=(0, 1000),
            size=(16, 1024),
            near_samples=(1, 100),
            spread_samples=(1, 100),
            alpha_weight=(0, 1e6),
            density_weight=(0, 1e6),
            density_points=(6, 1_000_000),
            first_rate=(0, 100),
            last_rate=(0, 100),
        )


@dataclass(frozen=True)
class LiftSettings:
    """Everything that decides a likeness beside the photo and the models.

    Attributes:
        trials: Which avatars are compared with the photo; see `avatar.Trials`.
        plane_sizes: Sides of the levels whose sum the planes are; the last is the planes' own.
        plane_rates: Adam's rate of each level.
        base_size: Side to which the avatar's own planes are reduced before: their details of the
            face show from behind too.
        damping: Adam's epsilon, in root mean squares of each level's gradients.
        keep: Decay of the running mean of the levels that is taken in the end.
        tune_decoder: Fit the decoder too; frozen, it stays the generator's, and portraits of one
            generator share it.
        decoder_rate: Adam's rate of it.
        warp: Warp the avatar to the photo's landmarks and outline; off, it is only carved and
            filled to the outline.
        grid: Densities along each side of the box while the shape is made.
        image_size: Side of the portrait's pictures unless another one is asked for.
        space: The fit in space.
        rays: The fit through rays, which follows.
        seed: Seed of all draws.
    """

    trials: Trials = "all"
    plane_sizes: tuple[int, ...] = (32, 64, 128, 256)
    plane_rates: tuple[float, ...] = (2.0, 2.0, 1.5, 0.7)
    base_size: int = 32
    damping: float = 1.0
    keep: float = 0.93
    tune_decoder: bool = False
    decoder_rate: float = 1e-2
    warp: bool = True
    grid: int = 160
    image_size: int = 256
    space: SpaceSettings = SpaceSettings()
    rays: RaySettings = RaySettings()
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            plane_sizes=(4, 1024),
            plane_rates=(0, 100),
            base_size=(4, 1024),
            damping=(0, 100),
            keep=(0, 0.9999),
            decoder_rate=(0, 100),
            grid=(16, 512),
            image_size=(16, 2048),
            seed=(0, 2**31 - 1),
        )
        if len(self.plane_sizes) != len(self.plane_rates) or not self.plane_sizes:
            raise UserError(
                f"plane_sizes, plane_rates: got {len(self.plane_sizes)} and "
                f"{len(self.plane_rates)} numbers; expected a rate for each size"
            )
        if list(self.plane_sizes) != sorted(self.plane_sizes):
            raise UserError(f"plane_sizes: got {self.plane_sizes}; expected rising sizes")


def preset(quality: str) -> LiftSettings:
    """Return the settings of a quality.

    Args:
        quality: "draft" or "standard".

    Raises:
        UserError: There is no such quality.
    """
    check_choice("quality", quality, QUALITIES)
    if quality == "standard":
        return LiftSettings()
    return LiftSettings(
        trials="hair",
        plane_sizes=(32, 64, 128),
        plane_rates=(2.0, 2.0, 1.5),
        grid=112,
        image_size=128,
        space=SpaceSettings(steps=60),
        rays=replace(RaySettings(), steps=20, rays=1024, front_views=12, side_views=4, size=128),
    )
