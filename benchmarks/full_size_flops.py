"""How much arithmetic the stages of FF3D need at official size, counted without doing it.

Convolutions and matrix products are counted as two operations per multiplication and addition;
look-ups in planes, activations and compositing are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from full_size_models import (
    AUTOENCODER,
    UNET,
    random_generator,
    random_image_to_triplane,
    random_perceptual,
)
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from triptych.metrics.lpips import LpipsDistance
from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.systems.stylize.settings import StylizeSettings

Work = Callable[[], Any]


def operations() -> dict[str, float]:
    """Return the operations of each part of FF3D at official size, in units of 10^9."""
    generator = random_generator()
    network = random_image_to_triplane(generator).requires_grad_(True)
    distance = random_perceptual()
    # Tensors without contents: shapes are followed through the networks, nothing is multiplied.
    with FakeTensorMode(allow_non_fake_inputs=True):
        of_the_head = _of_the_head(generator, network, distance)
    return {**of_the_head, **_of_the_editor()}


def _of_the_head(
    generator: TriPlaneGenerator, network: ImageToTriplane, distance: LpipsDistance
) -> dict[str, float]:
    config, settings = generator.config, StylizeSettings()
    samples = config.rendering.num_coarse + config.rendering.num_fine
    guided = settings.num_spread + settings.num_guided
    rays = config.render_size**2
    ws = torch.zeros(1, generator.num_ws, config.w_dim)
    picture = torch.zeros(1, 3, config.image_size, config.image_size)

    def decode(count: int, learning: bool) -> Work:
        channels = config.backbone.plane_channels
        points = torch.zeros(1, rays * count, channels, requires_grad=learning)
        return _work(lambda: generator.decoder(points).features.sum(), learning)

    def upsample(learning: bool) -> Work:
        size = config.render_size
        shown = torch.zeros(1, config.decoder.num_features, size, size, requires_grad=learning)
        return _work(lambda: generator.superresolution(shown, ws).sum(), learning)

    made = picture.clone().requires_grad_(True)
    return {
        "planes of a head": _count(lambda: generator.backbone.synthesis(ws)),
        "view: decoding of samples": _count(decode(samples, False)),
        "view: super-resolution": _count(upsample(False)),
        "step: planes, there and back": _count(_work(lambda: network(picture).sum(), True)),
        "step, per view: decoding of samples": _count(decode(guided, True)),
        "step, per view: super-resolution": _count(upsample(True)),
        "step, per view: perceptual distance": _count(
            _work(lambda: distance(made, picture).sum(), True)
        ),
    }


def _of_the_editor() -> dict[str, float]:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    # The counter does not know the processor's fused attention; on this device it is spelled out.
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel(**UNET)
        autoencoder = AutoencoderKL(**AUTOENCODER)
        text, time = torch.zeros(1, 77, 768), torch.zeros(())
        latent, noisy = torch.zeros(1, 4, 64, 64), torch.zeros(1, 8, 64, 64)
        picture = torch.zeros(1, 3, 512, 512)
        return {
            "edit: one UNet sample": _count(lambda: unet(noisy, time, encoder_hidden_states=text)),
            "edit: encoding a picture": _count(lambda: autoencoder.encode(picture)),
            "edit: decoding a picture": _count(lambda: autoencoder.decode(latent)),
        }


def _work(forward: Callable[[], Tensor], learning: bool) -> Work:
    return (lambda: forward().backward()) if learning else forward


def _count(work: Work) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e9
