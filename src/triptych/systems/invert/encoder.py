"""3DpSp's encoder: a picture, its reconstruction so far and the camera to a step in W+."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.nn.feature_pyramid import feature_pyramid
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.ir_se import initialise_for_rectifiers, residual_body, stem
from triptych.systems.invert.encoder_config import (
    PspConfig,
    RestyleConfig,
    avatar_config,
    official_config,
)

__all__ = [
    "PspConfig",
    "PspEncoder",
    "RestyleConfig",
    "StyleHead",
    "avatar_config",
    "official_config",
]

_LABEL_DIM = 25
_LEAK = 0.01


class PspEncoder(nn.Module):
    """Residual body, feature pyramid of three levels, one convolutional head per style code.

    The answer is a step from the style codes of the reconstruction towards those of the picture.
    Parameter names are those of 3DpSp's published checkpoint, to which two buffers are added: the
    mean style codes, where iteration starts, and the unit of the steps (1 in published weights).

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference:
        pSp: Richardson et al., Encoding in Style (2021); ReStyle: Alaluf et al. (2021); 3DpSp adds
        the camera and a 1x1 convolution before every strided one.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: PspConfig, *, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        widths, pyramid = config.widths, config.widths[-1]
        self.input_layer = stem(config.image_channels, widths[0])
        self.body = residual_body(widths, config.units, squeeze=config.squeeze)
        heads = [
            StyleHead(
                pyramid,
                config.head_width,
                size,
                config.w_dim,
                camera_code=config.camera_code,
                linear_rate=config.linear_rate,
                rng=rng,
            )
            for size, count in zip(config.level_sizes, config.heads, strict=True)
            for _ in range(count)
        ]
        self.styles = nn.ModuleList(heads)
        self.latlayer1 = nn.Conv2d(widths[2], pyramid, 1)
        self.latlayer2 = nn.Conv2d(widths[1], pyramid, 1)
        self.register_buffer("latent_mean", torch.zeros(config.num_ws, config.w_dim))
        self.register_buffer("latent_std", torch.ones(config.num_ws, config.w_dim))
        initialise_for_rectifiers(self, rng)
        for head in heads:
            nn.init.zeros_(head.linear.weight)  # a new encoder takes no step

    @torch.no_grad()
    def set_latent_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Store the generator's mean style codes and their spread, each [num_ws, w_dim]."""
        self.latent_mean.copy_(mean)
        self.latent_std.copy_(std)

    def forward(
        self, image: Tensor, reconstruction: Tensor | None = None, camera: Camera | None = None
    ) -> Tensor:
        """Return the step [b, num_ws, w_dim] in style codes.

        Args:
            image: Pictures [b, 3, s, s] in [-1, 1], s = config.image_size.
            reconstruction: Their reconstructions so far, same shape; only for encoders of six
                channels.
            camera: The camera of each picture (b of them, or one for all); only for encoders that
                use cameras.

        Raises:
            UserError: An input is missing or has another shape.
        """
        seen = self._seen(image, reconstruction).to(next(self.input_layer.parameters()).dtype)
        label = self._label(camera, image)
        coarse, middle, fine = self.pyramid(seen)
        levels = [
            level
            for level, count in zip((coarse, middle, fine), self.config.heads, strict=True)
            for _ in range(count)
        ]
        steps = [head(level, label) for head, level in zip(self.styles, levels, strict=True)]
        return torch.stack(steps, dim=1).float() * self.latent_std

    def pyramid(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the coarse, middle and fine features of what the encoder sees [b, c, s, s].

        All have as many channels as the last group; their sides are s / 16, s / 8 and s / 4.
        """
        lateral = self.latlayer1, self.latlayer2
        return feature_pyramid(self.input_layer(seen), self.body, self.config.units, lateral)

    def _seen(self, image: Tensor, reconstruction: Tensor | None) -> Tensor:
        size = self.config.image_size
        if image.shape[1:] != (3, size, size):
            raise UserError(
                f"the encoder sees pictures [b, 3, {size}, {size}]: got {list(image.shape)}; "
                "bring them to that size first"
            )
        if not self.config.sees_reconstruction:
            return image.contiguous(memory_format=torch.channels_last)
        if reconstruction is None or reconstruction.shape[1:] != image.shape[1:]:
            got = None if reconstruction is None else list(reconstruction.shape)
            raise UserError(
                f"the encoder needs the reconstruction so far [b, 3, {size}, {size}]: got {got}"
            )
        both = torch.cat([image, reconstruction.expand_as(image)], dim=1)
        return both.contiguous(memory_format=torch.channels_last)

    def _label(self, camera: Camera | None, image: Tensor) -> Tensor | None:
        if not self.config.camera_code:
            return None
        if camera is None or len(camera) not in (1, len(image)):
            got = 0 if camera is None else len(camera)
            raise UserError(f"the encoder needs a camera per picture: got {got} for {len(image)}")
        return camera.label25().to(image).expand(len(image), -1)


class StyleHead(nn.Module):
    """One style code from one feature map: halved by convolutions to a point, then a linear map.

    Args:
        in_channels: Channels of the feature map.
        channels: Channels of the convolutions.
        size: Side of the feature map, a power of two.
        w_dim: Width of the style code.
        camera_code: Width of what a small network of its own makes of the camera; it is laid
            beside the features at every position. 0 for none.
        linear_rate: Equalised learning rate multiplier of the linear map.
        rng: Source of the initial weights of the linear map.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        size: int,
        w_dim: int,
        *,
        camera_code: int,
        linear_rate: float = 1.0,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.linear_camera: nn.Sequential | None = None
        if camera_code:
            self.linear_camera = nn.Sequential(
                nn.Linear(_LABEL_DIM, camera_code),
                nn.LeakyReLU(_LEAK),
                nn.Linear(camera_code, camera_code),
                nn.Sigmoid(),
            )
        layers: list[nn.Module] = []
        incoming = in_channels + camera_code
        for _ in range(size.bit_length() - 1):
            layers += [
                nn.Conv2d(incoming, incoming, 1),
                nn.LeakyReLU(_LEAK),
                nn.Conv2d(incoming, channels, 3, stride=2, padding=1),
                nn.LeakyReLU(_LEAK),
            ]
            incoming = channels
        self.convs = nn.Sequential(*layers)
        self.linear = FullyConnectedLayer(channels, w_dim, lr_multiplier=linear_rate, rng=rng)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Return style codes [b, w_dim] of feature maps [b, c, size, size] and labels [b, 25]."""
        if self.linear_camera is not None:
            assert label is not None
            code = self.linear_camera(label)[:, :, None, None]
            everywhere = code.expand(-1, -1, *features.shape[-2:]).to(features)
            # In the order in which the features lie in memory, or the rest runs in another.
            everywhere = everywhere.contiguous(memory_format=torch.channels_last)
            features = torch.cat([features, everywhere], dim=1)
        return self.linear(self.convs(features).flatten(1).to(self.linear.weight.dtype))
