"""Perceptual distance in the form of LPIPS over any stack of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.nn.feature_network import AvatarFeatures

# Added to the squared length of a feature vector: where every channel is zero (a flat region)
# the gradient of the length would otherwise be infinite.
_TINY = 1e-8


class PerceptualDistance(Protocol):
    """How different two images look; 0 for equal images, larger for more different ones."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance [b] of two batches of images [b, 3, h, w] in [-1, 1]."""


def unit_channels(features: Tensor) -> Tensor:
    """Scale the channel vector at every position to length one; [b, c, h, w] to the same."""
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + _TINY)


def lpips_distance(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> Tensor:
    """Return the weighted squared distance between unit feature vectors, averaged over positions.

    Args:
        first: Features of the first images by stage, each [b, c, h, w].
        second: Features of the second images, same stages and shapes.
        weights: For each stage a non-negative weight per channel [c], or one number [].

    Returns:
        Distance [b].

    Reference:
        Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual
        Metric", Eq. 1.
    """
    total: Tensor | float = 0.0
    for stage, weight in weights.items():
        squared = (unit_channels(first[stage]) - unit_channels(second[stage])).square()
        total = total + (squared * weight.view(-1, 1, 1)).sum(dim=1).mean(dim=(1, 2))
    assert isinstance(total, Tensor), "at least one stage is required"
    return total


class AvatarPerceptualDistance(nn.Module):
    """LPIPS form over the embedded avatar features; every stage counts the same.

    Works on crops as well as on whole images, from 16 pixels up. Its parameters are frozen;
    gradients reach the images.

    Args:
        features: A trained feature network.
        stage_weights: Non-negative weight of each stage, finest first.
    """

    stage_weights: Tensor

    def __init__(
        self, features: AvatarFeatures, stage_weights: tuple[float, ...] = (0.2, 0.2, 0.2, 0.2, 0.2)
    ) -> None:
        super().__init__()
        if len(stage_weights) != len(features.config.channels) or min(stage_weights) < 0:
            raise UserError(
                f"stage_weights: got {stage_weights}; expected "
                f"{len(features.config.channels)} non-negative numbers"
            )
        self.features = features.requires_grad_(False).eval()
        self.register_buffer("stage_weights", torch.tensor(stage_weights), persistent=False)

    @classmethod
    def from_pretrained(cls, name_or_path: str = "avatar-features") -> AvatarPerceptualDistance:
        """Build the distance over an embedded feature network or over one in a file."""
        from triptych.weights import load_features

        return cls(load_features(name_or_path))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance [b] of images [b, 3, h, w] in [-1, 1]."""
        return self.between(self.features(first), self.features(second))

    def between(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Tensor:
        """Return the distance [b] of features that were computed before."""
        names = list(self.features.stages.keys())
        return lpips_distance(first, second, dict(zip(names, self.stage_weights, strict=True)))
