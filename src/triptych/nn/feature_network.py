"""Avatar features: a narrow VGG with heads for regions, identity, attributes and style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.config import check_fields
from triptych.errors import UserError
from triptych.ops.resize import resize_bilinear

# Below this the coarsest stage would have no pixel left; images of whole heads need 64 or more.
SMALLEST_IMAGE = 16
WHOLE_HEAD_SIZE = 128
"""Side in pixels of the images of whole heads that the embedded networks were trained on."""

_LAYOUT_SIZE, _LAYOUT_CHANNELS = 8, 48


@dataclass(frozen=True)
class FeatureNetworkConfig:
    """Architecture and outputs of an `AvatarFeatures` network.

    Attributes:
        style_names: Names of the classified styles, in the order of the logits.
        attribute_dim: Width of the attribute vector that the attribute head predicts.
        channels: Width of each stage; every stage halves the size before the next.
        identity_dim: Width of the unit identity embedding.
        num_regions: Number of region classes, background included.
        region_channels: Width of the top-down path that gathers all stages for the region head.
    """

    style_names: tuple[str, ...]
    attribute_dim: int
    channels: tuple[int, ...] = (24, 48, 96, 160, 192)
    identity_dim: int = 64
    num_regions: int = 9
    region_channels: int = 32

    def __post_init__(self) -> None:
        check_fields(
            self,
            attribute_dim=(1, 4096),
            channels=(1, 4096),
            identity_dim=(1, 4096),
            num_regions=(1, 256),
            region_channels=(1, 4096),
        )
        if len(self.channels) != 5:
            raise UserError(f"channels: got {len(self.channels)} stages; expected 5")
        if len(set(self.style_names)) != len(self.style_names) or not self.style_names:
            raise UserError("style_names: expected at least one name and no name twice")


class AvatarFeatures(nn.Module):
    """Five stages of two 3x3 convolutions each, and four heads that read them.

    There is no normalisation over positions or batch: a feature depends on its receptive field
    only, so that crops and whole images are measured alike. Two instances are trained: one as a
    loss network, one as an independent classifier for evaluations.
    """

    def __init__(self, config: FeatureNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = feature_stages(config.channels)
        self.region_head = _RegionHead(config)
        self.layout = nn.Sequential(
            nn.Conv2d(config.channels[-1], _LAYOUT_CHANNELS, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(_LAYOUT_CHANNELS * _LAYOUT_SIZE**2, 256),
            nn.ReLU(),
        )
        self.identity_head = nn.Linear(256, config.identity_dim)
        self.attribute_head = nn.Linear(256, config.attribute_dim)
        self.style_head = nn.Sequential(
            nn.Linear(num_style_responses(config.channels), 256),
            nn.ReLU(),
            nn.Linear(256, len(config.style_names)),
        )
        _initialise(self)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features of every stage by name, finest first.

        Args:
            image: Images [b, 3, h, w] in [-1, 1]; h and w at least 16 (crops)
                or 64 (whole heads).

        Returns:
            "stage1" [b, c1, h, w] to "stage5" [b, c5, h/16, w/16], non-negative.
        """
        if min(image.shape[-2:]) < SMALLEST_IMAGE:
            raise UserError(
                f"image size: got {tuple(image.shape[-2:])}; "
                f"expected at least {SMALLEST_IMAGE} on each side; resize the image first"
            )
        return stage_features(self.stages, image)

    def region_logits(self, features: dict[str, Tensor]) -> Tensor:
        """Return the logits of the region classes [b, num_regions, h, w] for every pixel."""
        return self.region_head(features)

    def identity(self, features: dict[str, Tensor]) -> Tensor:
        """Return the unit identity embedding [b, identity_dim] of images of the whole head."""
        return functional.normalize(self.identity_head(self._layout_of(features)), dim=1)

    def attributes(self, features: dict[str, Tensor]) -> Tensor:
        """Return the predicted attribute vector [b, attribute_dim]."""
        return self.attribute_head(self._layout_of(features))

    def style_logits(self, features: dict[str, Tensor]) -> Tensor:
        """Return the style logits [b, number of styles]."""
        return self.style_head(style_responses(features))

    def _layout_of(self, features: dict[str, Tensor]) -> Tensor:
        """Return coarse features with their rough positions."""
        coarsest = list(features.values())[-1]
        return self.layout(functional.adaptive_avg_pool2d(coarsest, _LAYOUT_SIZE))


def feature_stages(channels: Sequence[int]) -> nn.ModuleDict:
    """Return stages of two 3x3 convolutions each, named "stage1" and on; see `stage_features`."""
    widths = (3, *channels)
    return nn.ModuleDict(
        {
            f"stage{index + 1}": _stage(widths[index], widths[index + 1])
            for index in range(len(channels))
        }
    )


def stage_features(stages: nn.ModuleDict, image: Tensor) -> dict[str, Tensor]:
    """Return the features of every stage of images [b, 3, h, w], each at half the size before."""
    features: dict[str, Tensor] = {}
    current = image
    for index, (name, stage) in enumerate(stages.items()):
        current = stage(functional.avg_pool2d(current, 2) if index else current)
        features[name] = current
    return features


def style_responses(features: dict[str, Tensor]) -> Tensor:
    """Return what tells styles apart [b, n]: mean and peak of each channel of the coarse stages.

    A style may cover everything (bronze) or show in one place only (pointed ears).
    """
    coarse = list(features.values())[2:]
    means = [stage.mean(dim=(2, 3)) for stage in coarse]
    peaks = [stage.amax(dim=(2, 3)) for stage in coarse]
    return torch.cat([*means, *peaks], dim=1)


def num_style_responses(channels: Sequence[int]) -> int:
    """Return how many numbers `style_responses` has."""
    return 2 * sum(channels[2:])


class _RegionHead(nn.Module):
    """A top-down path: each coarser stage is up-sampled and added to the next finer one.

    The finest stage, which is the most expensive, only corrects the logits of the second finest.
    """

    def __init__(self, config: FeatureNetworkConfig) -> None:
        super().__init__()
        width = config.region_channels
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for channels in config.channels[1:]
        )
        self.blends = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1) for _ in config.channels[2:]
        )
        self.classes = nn.Conv2d(width, config.num_regions, 1)
        self.fine_classes = nn.Conv2d(config.channels[0], config.num_regions, 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        finest, *coarser = features.values()
        gathered = functional.relu(self.laterals[-1](coarser[-1]))
        for index in range(len(coarser) - 2, -1, -1):
            gathered = functional.relu(self.blends[index](gathered))
            upsampled = resize_bilinear(gathered, _height_width(coarser[index]))
            gathered = functional.relu(upsampled + self.laterals[index](coarser[index]))
        upsampled = resize_bilinear(self.classes(gathered), _height_width(finest))
        return upsampled + self.fine_classes(finest)


def _height_width(x: Tensor) -> tuple[int, int]:
    height, width = x.shape[-2:]
    return height, width


def _stage(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(),
    )


def _initialise(module: nn.Module) -> None:
    """He initialisation everywhere: without normalisation layers the depth needs it."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
