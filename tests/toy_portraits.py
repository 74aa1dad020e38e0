"""Portraits whose look can be derived by hand, and generators small enough for every test."""

from __future__ import annotations

import dataclasses
import math

import torch

from triptych.framing import AVATAR_FRAMING
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.models.eg3d import (
    BackboneConfig,
    DecoderConfig,
    EG3DConfig,
    MappingConfig,
    TriPlaneGenerator,
)
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.portrait import TriPlanePortrait
from triptych.render.renderer import RenderConfig

SPHERE_RADIUS = 0.3
_PLANE_SIZE = 128
_SHARPNESS = 1000.0
_COLOUR_SLOPE = 60.0
_LINEAR = 20.0  # softplus is the identity to float precision from here on


def tiny_config() -> EG3DConfig:
    """Return an avatar generator of toy size: 32 pixels, planes of 32 x 32 x 4."""
    return EG3DConfig(
        z_dim=ATTRIBUTE_DIM,
        w_dim=16,
        label_dim=0,
        image_size=32,
        render_size=32,
        mapping=MappingConfig(num_layers=1, lr_multiplier=1.0, normalize_z=False),
        latent_kind="attributes",
        framing=AVATAR_FRAMING,
        backbone=BackboneConfig(
            plane_size=32,
            plane_channels=4,
            channel_base=256,
            channel_max=8,
            architecture="orig",
            resample_filter=(1.0, 1.0),
            use_noise=False,
        ),
        decoder=DecoderConfig(num_hidden=8, num_features=3),
        rendering=RenderConfig(num_coarse=8, num_fine=8, background=0.5, density_gain=30.0),
        superresolution=None,
    )


def wider_config() -> EG3DConfig:
    """Return the toy generator with twice the width, which can be fitted to recoloured views."""
    config = tiny_config()
    return dataclasses.replace(
        config,
        backbone=dataclasses.replace(config.backbone, channel_max=16, up_convolution="composed"),
        decoder=dataclasses.replace(config.decoder, num_hidden=16),
    )


def tiny_superresolved_config() -> EG3DConfig:
    """Return a toy generator with a super-resolution head: rays at 16, images at 128 pixels."""
    return dataclasses.replace(
        tiny_config(),
        render_size=16,
        image_size=128,
        decoder=DecoderConfig(num_hidden=8, num_features=8),
        superresolution=SuperResolutionConfig(kind="2X", widths=(4, 4)),
    )


def tiny_generator(config: EG3DConfig | None = None) -> TriPlaneGenerator:
    """Return a toy generator with random weights, ready for use."""
    rng = torch.Generator().manual_seed(3)
    return TriPlaneGenerator(config or tiny_config(), rng=rng).eval().requires_grad_(False)


def tiny_portrait(config: EG3DConfig | None = None) -> TriPlanePortrait:
    """Return a portrait of a random toy generator."""
    generator = tiny_generator(config)
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(5))
    ws = generator.mapping(z)
    return TriPlanePortrait.from_generator(generator, ws, provenance={"made": "for a test"})


def sphere_portrait(radius: float = SPHERE_RADIUS) -> TriPlanePortrait:
    """Return an opaque ball at the origin: red at x > 0, dark at x < 0, green 0.5, blue 0.25.

    Plane channel 0 holds 0.5 - |projection|^2, so the mean of the three planes is 0.5 - 2/3 r^2;
    channel 1 holds x on the two planes that see it, so its mean is 2/3 x. The decoder keeps both
    linear by working in the straight part of softplus.
    """
    config = dataclasses.replace(
        tiny_config(),
        image_size=64,
        render_size=64,
        plane_axes="corrected",
        backbone=dataclasses.replace(
            tiny_config().backbone, plane_size=_PLANE_SIZE, plane_channels=2
        ),
        decoder=DecoderConfig(num_hidden=2, num_features=3),
        rendering=RenderConfig(num_coarse=48, num_fine=48, background=0.5, density_gain=30.0),
    )
    line = (torch.arange(_PLANE_SIZE) + 0.5) / _PLANE_SIZE - 0.5
    height, width = torch.meshgrid(line, line, indexing="ij")
    planes = torch.zeros(1, 3, 2, _PLANE_SIZE, _PLANE_SIZE)
    planes[:, :, 0] = 0.5 - height.square() - width.square()
    planes[:, :2, 1] = width
    generator = TriPlaneGenerator(config)
    first, _, last = generator.decoder.net
    root = math.sqrt(2)
    at_surface = 0.5 - 2 / 3 * radius**2
    with torch.no_grad():
        first.weight.copy_(torch.eye(2) * root)
        first.bias.fill_(_LINEAR)
        last.weight.zero_()
        last.bias.zero_()
        last.weight[0, 0] = _SHARPNESS * root
        last.bias[0] = 1 - _SHARPNESS * (_LINEAR + at_surface)
        last.weight[1, 1] = _COLOUR_SLOPE * root
        last.bias[1] = -_COLOUR_SLOPE * _LINEAR
        last.bias[3] = math.log(1 / 3)
    ws = torch.zeros(1, generator.num_ws, config.w_dim)
    return TriPlanePortrait.from_generator(generator, ws, planes=planes)
