"""Generators of regions small enough for every test."""

from __future__ import annotations

from dataclasses import replace

import torch

from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.generator_config import (
    RegionDecoderConfig,
    RegionGeneratorConfig,
    RegionSampling,
)

TINY = RegionGeneratorConfig(
    style_dim=12,
    hidden=8,
    render_size=16,
    sampling=RegionSampling(num=12),
    decoder=RegionDecoderConfig(feature_width=6, style_dim=16, mapping_layers=2, widths=(8, 6)),
)
WITHOUT_DECODER = replace(TINY, decoder=None)


def tiny_region_generator(config: RegionGeneratorConfig = TINY) -> RegionGenerator:
    """Return a random generator whose surface is hard and round: half the volume wide."""
    generator = RegionGenerator(config, rng=torch.Generator().manual_seed(4))
    with torch.no_grad():
        generator.renderer.sigmoid_beta.fill_(0.004)
        for network in generator.renderer.networks():
            network.sdf_linear.weight.mul_(0.05)
            network.sdf_linear.bias.fill_(0.0)
            network.mask_linears.weight.mul_(4)
            network.rgb_linear.weight.mul_(4)
    round_the_first_shape(generator)
    return generator.eval().requires_grad_(False)


def round_the_first_shape(generator: RegionGenerator, radius_share: float = 0.6) -> None:
    """Fit the head of the initial network to the distance from a sphere."""
    config = generator.config
    rng = torch.Generator().manual_seed(5)
    points = torch.rand(1, 512, 3, generator=rng) * 2 - 1
    codes = torch.zeros(1, config.num_codes, config.style_dim)
    network = generator.renderer.init_network
    with torch.no_grad():
        for layer in (*network.shape_linears, *network.texture_linears):
            layer.gamma.weight.zero_()
            layer.beta.weight.zero_()
        trunk = network.trunk(points, codes[:, 0], codes[:, 1]).texture[0]
        inputs = torch.cat([trunk, torch.ones(len(trunk), 1)], dim=1)
        wanted = config.extent * (points[0].norm(dim=1, keepdim=True) - radius_share)
        solution = torch.linalg.lstsq(inputs, wanted).solution
        network.sdf_linear.weight.copy_(solution[:-1].T)
        network.sdf_linear.bias.copy_(solution[-1])
