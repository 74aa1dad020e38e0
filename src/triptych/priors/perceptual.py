"""Perceptual distance in the form of LPIPS over any stack of features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.nn.feature_network import AvatarFeatures
from triptych.nn.vgg import LPIPS_TAPS, VGG16Features

# Added to the squared length of a feature vector: where every channel is zero (a flat region)
# the gradient of the length would otherwise be infinite.
_TINY = 1e-8

# ImageNet's mean and deviation carried over to images in [-1, 1] (LPIPS's scaling layer).
_VGG_SHIFT = (-0.030, -0.088, -0.188)
_VGG_SCALE = (0.458, 0.448, 0.450)


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


class VGGPerceptualDistance(nn.Module):
    """The published LPIPS (version 0.1, VGG16): needs two weight files that the user has.

    Parameter names of the heads are those of the public file: `linK.model.1.weight` [1, c, 1, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.vgg = VGG16Features(LPIPS_TAPS).requires_grad_(False).eval()
        self.register_buffer("shift", torch.tensor(_VGG_SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_VGG_SCALE).view(3, 1, 1), persistent=False)
        for index, channels in enumerate(self.vgg.channels.values()):
            self.register_buffer(f"lin{index}", torch.zeros(channels), persistent=True)

    @classmethod
    def from_states(
        cls, vgg_state: Mapping[str, Tensor], heads_state: Mapping[str, Tensor]
    ) -> VGGPerceptualDistance:
        """Build the distance from the tensors of the two public files.

        Args:
            vgg_state: VGG16 classification weights (`features.0.weight` ...).
            heads_state: LPIPS v0.1 heads (`lin0.model.1.weight` ...).

        Raises:
            UserError: A tensor is missing or has another shape.
        """
        distance = cls()
        distance.vgg.load_public(vgg_state)
        for index, channels in enumerate(distance.vgg.channels.values()):
            name = f"lin{index}.model.1.weight"
            if name not in heads_state or heads_state[name].shape != (1, channels, 1, 1):
                raise UserError(
                    f"not an LPIPS v0.1 VGG head file: {name} with shape {(1, channels, 1, 1)} "
                    "is missing or has another shape"
                )
            distance.get_buffer(f"lin{index}").copy_(heads_state[name].flatten())
        return distance

    @classmethod
    def from_files(cls, vgg_path: str | Path, heads_path: str | Path) -> VGGPerceptualDistance:
        """Build the distance from the public VGG16 file and the public LPIPS head file."""
        from triptych.weights import read_tensors

        return cls.from_states(read_tensors(vgg_path), read_tensors(heads_path))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance [b] of images [b, 3, h, w] in [-1, 1]."""
        features = [self.vgg((image - self.shift) / self.scale) for image in (first, second)]
        weights = {tap: self.get_buffer(f"lin{index}") for index, tap in enumerate(self.vgg.taps)}
        return lpips_distance(features[0], features[1], weights)
