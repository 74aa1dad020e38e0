"""What both avatar recipes share: planes learned from rays of true pictures, sheets and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.config import check_fields
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.ops.resize import resize_bilinear
from triptych.render.guided_rays import GuidedSampling
from triptych.render.renderer import RenderedRays, render_at_depths
from triptych.systems.edit.network import PortraitEncoder
from triptych.systems.edit.training.avatar_views import (
    AvatarViews,
    Chosen,
    TrueRays,
    with_own_surface,
)
from triptych.training.avatar_patches import PatchPlan

FULL_RATE_INPUTS = 32
"""Layers with more inputs learn slower; see `training.parameter_groups.grouped_by_inputs`."""


@dataclass(frozen=True)
class RayWeights:
    """Weights of the terms.

    Attributes:
        l1, mse: Of colours on [0, 1].
        gradient: L1 of differences between neighbouring rays.
        perceptual: Perceptual distance of patches.
        opacity, depth: L1 where the target has the original's shape.
    """

    l1: float = 2.0
    mse: float = 2.0
    gradient: float = 1.0
    perceptual: float = 0.3
    opacity: float = 0.5
    depth: float = 1.0

    def __post_init__(self) -> None:
        names = ("l1", "mse", "gradient", "perceptual", "opacity", "depth")
        check_fields(self, **{name: (0, 1e6) for name in names})


class RayComparison:
    """Compares the planes of a network with rays of true pictures.

    Args:
        views: The data.
        weights: Of the terms.
        features: Embedded network of the perceptual term; unused at weight 0.
        own_samples: Samples of a ray where the network itself has its surface.
        device: Where to compute.
    """

    def __init__(
        self,
        views: AvatarViews,
        weights: RayWeights,
        features: str,
        own_samples: int,
        device: str,
    ) -> None:
        self.views, self.weights = views, weights
        self.own_samples, self.device = own_samples, device
        self.perceptual: AvatarPerceptualDistance | None = None
        if weights.perceptual:
            self.perceptual = AvatarPerceptualDistance.from_pretrained(features).to(device)

    def terms(
        self,
        network: PortraitEncoder,
        planes: Tensor,
        chosen: list[Chosen],
        rng: np.random.Generator,
    ) -> dict[str, Tensor]:
        """Return the weighted terms, each [], of planes [b, 3, c, h, w] of b samples."""
        config = network.config.rendering.rendering
        near, far = config.fixed_limits("training through patches")
        true = self.views.true_rays(chosen, GuidedSampling(near=near, far=far), rng)
        rays = true.rays.to(self.device)
        field = network.plane_renderer.field(planes)
        depths = with_own_surface(
            true.depths.to(self.device),
            field,
            rays,
            config,
            self.own_samples,
            int(rng.integers(2**31)),
        )
        return self._compared(render_at_depths(field, rays, depths, config), true)

    def _compared(self, rendered: RenderedRays, true: TrueRays) -> dict[str, Tensor]:
        weights, side = self.weights, self.views.plan.patch
        rgb = true.rgb.to(self.device)
        pred = rendered.features[..., :3].reshape(rgb.shape)
        difference = (pred - rgb) / 2
        image = difference.reshape(-1, side, side, 3)
        shape = true.is_shape.to(self.device)
        opacity = true.opacity.to(self.device)
        pred_opacity = rendered.alpha.reshape(opacity.shape)
        missing = (pred_opacity - opacity).abs()
        solid = shape * (opacity > 0.99) * pred_opacity
        shift = (rendered.depth.reshape(opacity.shape) - true.distance.to(self.device)).abs()
        terms = {
            "l1": weights.l1 * difference.abs().mean(),
            "mse": weights.mse * difference.square().mean(),
            "gradient": weights.gradient
            * (image.diff(dim=1).abs().mean() + image.diff(dim=2).abs().mean()),
            "opacity": weights.opacity * (shape * missing).mean(),
            "depth": weights.depth * (solid * shift).mean(),
        }
        if self.perceptual is not None:
            patches = [
                colours.reshape(-1, side, side, 3).permute(0, 3, 1, 2) for colours in (pred, rgb)
            ]
            terms["perceptual"] = weights.perceptual * self.perceptual(*patches).mean()
        return terms


def patch_plan(heads: int, views: int, patch: int, face_share: float) -> PatchPlan:
    """Return which patches make a batch."""
    return PatchPlan(heads, views, patch, strides=(1, 2, 3, 4), face_share=face_share)


def as_photo(network: PortraitEncoder, picture: Tensor) -> Tensor:
    """Return pictures [b, 3, h, h] at the size of an encoder's photos."""
    return resize_bilinear(picture, network.config.encoder.image_size, antialias=True)


def spread_over(shards: ShardSet, num: int) -> list[int]:
    """Return so many heads of a set, evenly spread."""
    return sorted({int(index) for index in np.linspace(0, len(shards) - 1, num)})


def shown(network: Any, planes: Tensor, views: AvatarViews, head: int, view: int) -> Tensor:
    """Return the picture [3, s, s] of planes [1, 3, c, h, w] from a camera of a set."""
    camera = views.camera(head, view).to(planes.device)
    return network.portrait(planes).render(camera, size=views.shards.size).image[0]
