"""Fields compared with rays of true pictures of avatars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from triptych.config import check_fields
from triptych.fields.triplane import TriPlaneField
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.render.guided_rays import GuidedSampling
from triptych.render.renderer import RenderConfig, RenderedRays, render_at_depths
from triptych.training.avatar_patches import PatchPlan
from triptych.training.avatar_views import AvatarViews, Chosen, TrueRays, tinted, with_own_surface


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
    """Compares the fields of a network with rays of true pictures.

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
        field: TriPlaneField,
        config: RenderConfig,
        chosen: list[Chosen],
        rng: np.random.Generator,
        *,
        tints: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms, each [], of a field of b samples.

        Args:
            field: What the network makes of the samples.
            config: Ray limits and marching rule.
            chosen: b samples.
            rng: Source of the draws.
            tints: Changes of the colours [b, 3, 3] of true pictures; None leaves them.
        """
        near, far = config.fixed_limits("training through patches")
        true = self.views.true_rays(chosen, GuidedSampling(near=near, far=far), rng)
        if tints is not None:
            of_pictures = tints.repeat_interleave(len(true.rgb) // len(tints), dim=0)
            true = replace(true, rgb=tinted(true.rgb, of_pictures))
        rays = true.rays.to(self.device)
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
