"""A lift small enough for every test: blobs for heads, landmarks and a mask that are given."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from toy_portraits import wider_config

from triptych.camera import look_at_camera
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import TriPlaneGenerator
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.photos.aligner import PhotoAligner
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.systems.lift.settings import LiftSettings, RaySettings, SpaceSettings

SIZE = 64
CAMERA = look_at_camera(0.1, 0.05)
SETTINGS = LiftSettings(
    trials="none",
    plane_sizes=(16, 32),
    plane_rates=(1.0, 0.5),
    grid=24,
    image_size=32,
    space=SpaceSettings(steps=4, surface_points=200, photo_points=100, density_points=120),
    rays=RaySettings(steps=4, rays=48, front_views=2, side_views=1, size=16, density_points=60),
)


class FixedLandmarks:
    """The same 33 landmarks in every picture: a ring and two arms of a cross, without depth."""

    notes: tuple[str, ...] = ()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
        arms = [[x, y, 0.0] for x in (-0.6, -0.2, 0.2, 0.6) for y in (-0.5, 0.1, 0.4, 0.7)]
        points = np.concatenate([ring, arms, np.zeros((1, 3))])
        return (0.5 + 0.15 * points) * pixels.shape[0] * np.array([1, 1, 0.1])

    def to(self, device: torch.device | str) -> FixedLandmarks:
        return self


class DiscMatting:
    """Every person is a disc in the middle of the picture."""

    def __init__(self, radius: float = 0.3) -> None:
        self.radius = radius

    def head(self, image: Tensor) -> Tensor:
        line = (torch.arange(image.shape[-1]) + 0.5) / image.shape[-1] - 0.5
        far = (line[:, None].square() + line.square()).sqrt()
        return (far < self.radius).float()[None, None].to(image.device)

    def to(self, device: torch.device | str) -> DiscMatting:
        return self


def toy_features() -> AvatarFeatures:
    """Return a random feature network that predicts attributes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = FeatureNetworkConfig(("a",), attribute_dim=ATTRIBUTE_DIM, channels=(2, 2, 4, 4, 4))
        return AvatarFeatures(config).eval()


def toy_pipeline() -> LiftPipeline:
    """Return the pipeline in miniature."""
    generator = TriPlaneGenerator(wider_config()).eval().requires_grad_(False)
    return LiftPipeline(
        generator,
        toy_features(),
        PhotoAligner(generator.config.photo_framing(), detector="avatar", size=SIZE),
        DiscMatting(),
        landmarks=FixedLandmarks(),
        name="toy",
        hashes={"generator": "1" * 64},
    )


def picture(seed: int = 1) -> Tensor:
    """Return an aligned picture [1, 3, s, s] of smooth random colours."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=rng) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear").clamp(-1, 1)
