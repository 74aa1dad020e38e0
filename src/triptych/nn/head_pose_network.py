"""A small network for position, rotation and landmarks of a head in a picture.

It reads a square window and predicts in units of that window, so that the same weights serve any
picture: an initial crop locates the head, a refined crop around it measures the pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.config import check_fields
from triptych.errors import UserError


@dataclass(frozen=True)
class HeadPoseConfig:
    """Architecture and outputs of a `HeadPoseNetwork`.

    Attributes:
        landmarks: Names of the landmarks, in the order of the outputs.
        mirrored: Index of the landmark that each becomes in a mirrored picture.
        image_size: Side of the windows in pixels, a multiple of 16.
        channels: Width of each stage; every stage halves the size.
        blocks: Residual blocks of each stage after the first.
        layout_channels: Channels of the last map before it is flattened.
        hidden: Width of the layer before the outputs.
        window_units: Side of the window, in world units at the head, of a refined crop.
    """

    landmarks: tuple[str, ...]
    mirrored: tuple[int, ...]
    image_size: int = 96
    channels: tuple[int, ...] = (24, 48, 96, 144)
    blocks: tuple[int, ...] = (1, 2, 1)
    layout_channels: int = 48
    hidden: int = 256
    window_units: float = 0.46

    def __post_init__(self) -> None:
        check_fields(
            self,
            image_size=(16, 2048),
            channels=(1, 4096),
            blocks=(0, 64),
            layout_channels=(1, 4096),
            hidden=(1, 4096),
            window_units=(0.01, 100),
        )
        if len(self.channels) != 4 or len(self.blocks) != 3:
            raise UserError("head pose network: expected 4 stage widths and 3 block counts")
        if self.image_size % 16:
            raise UserError(f"image_size: got {self.image_size}; expected a multiple of 16")
        if sorted(self.mirrored) != list(range(len(self.landmarks))):
            raise UserError("mirrored: expected every landmark once")


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Predictions for b windows; positions are in window widths from the centre.

    Attributes:
        landmarks: Positions [b, k, 2], x to the right, y down.
        anchor: Position of the world point that alignment puts in the image centre [b, 2].
        log_scale: Logarithm of the size of a world unit there, in window widths [b].
        rotation: World-to-camera rotation [b, 3, 3] of a camera that looks at the anchor; OpenCV
            axes.
        presence: Logit of the presence of a head [b].
    """

    landmarks: Tensor
    anchor: Tensor
    log_scale: Tensor
    rotation: Tensor
    presence: Tensor

    def to(self, device: torch.device | str) -> HeadPose:
        """Return the predictions on another device."""
        return HeadPose(**{name: value.to(device) for name, value in vars(self).items()})

    def mirrored(self, order: tuple[int, ...]) -> HeadPose:
        """Return the predictions for mirrored windows, given the order of mirrored landmarks."""
        flip = self.anchor.new_tensor([-1.0, 1.0])
        turn = torch.diag(self.anchor.new_tensor([-1.0, 1.0, 1.0]))
        return HeadPose(
            self.landmarks[:, list(order)] * flip,
            self.anchor * flip,
            self.log_scale,
            turn @ self.rotation @ turn,
            self.presence,
        )


class HeadPoseNetwork(nn.Module):
    """Residual convolutions down to a map of 6 x 6, which is flattened."""

    def __init__(self, config: HeadPoseConfig) -> None:
        super().__init__()
        self.config = config
        first, *wider = config.channels
        stages: list[nn.Module] = [_convolution(3, first, kernel=5, stride=2)]
        previous = first
        for width, blocks in zip(wider, config.blocks, strict=True):
            stages.append(_convolution(previous, width, stride=2))
            stages += [_ResidualBlock(width) for _ in range(blocks)]
            previous = width
        self.stages = nn.Sequential(*stages)
        places = (config.image_size // 16) ** 2
        self.layout = nn.Sequential(
            nn.Conv2d(previous, config.layout_channels, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(config.layout_channels * places, config.hidden),
            nn.ReLU(),
        )
        self.answers = nn.Linear(config.hidden, 2 * len(config.landmarks) + 10)
        _initialise(self)

    def forward(self, image: Tensor) -> HeadPose:
        """Predict for windows [b, 3, s, s] in [-1, 1], s the configured size."""
        size = self.config.image_size
        if image.shape[1:] != (3, size, size):
            raise UserError(f"windows: got {list(image.shape)}; expected [b, 3, {size}, {size}]")
        answers = self.answers(self.layout(self.stages(image))).float()
        count = 2 * len(self.config.landmarks)
        landmarks, anchor, scale, turn, presence = answers.split([count, 2, 1, 6, 1], dim=1)
        return HeadPose(
            landmarks.unflatten(1, (-1, 2)),
            anchor,
            scale[:, 0],
            rotation_from_columns(turn),
            presence[:, 0],
        )


def rotation_from_columns(numbers: Tensor) -> Tensor:
    """Turn six free numbers [b, 6] into rotations [b, 3, 3].

    They are two columns, made orthonormal one after the other; the third is their cross product.

    Reference: Zhou et al., On the Continuity of Rotation Representations (CVPR 2019), Eq. 15.
    """
    first, second = numbers[:, :3], numbers[:, 3:]
    x = functional.normalize(first, dim=1)
    y = functional.normalize(second - (x * second).sum(1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=2)


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _convolution(
    channels_in: int,
    channels_out: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    activated: bool = True,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    return nn.Sequential(*layers, nn.ReLU()) if activated else nn.Sequential(*layers)


def _initialise(network: HeadPoseNetwork) -> None:
    """He initialisation; the outputs start as a frontal head in the middle of the window."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    with torch.no_grad():
        network.answers.weight.mul_(0.05)
        # Columns (1, 0, 0) and (0, -1, 0): the frontal camera.
        network.answers.bias[-7:-1] = torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0, 0.0])
        network.answers.bias[-8] = -torch.log(torch.tensor(network.config.window_units))
