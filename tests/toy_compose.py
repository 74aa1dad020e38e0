"""Generators of regions small enough for every test."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import cache

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
    membership="softmax",
    decoder=RegionDecoderConfig(feature_width=6, style_dim=16, mapping_layers=2, widths=(8, 6)),
)
WITHOUT_DECODER = replace(TINY, decoder=None)


def tiny_region_generator(config: RegionGeneratorConfig = TINY) -> RegionGenerator:
    """Return a random generator whose surface is hard and round: half the volume wide.

    It is made once and copied: the least squares of its first shape end in other last bits from
    call to call, by where the memory of the arrays begins.
    """
    return copy.deepcopy(_tiny_region_generator(config))


@cache
def _tiny_region_generator(config: RegionGeneratorConfig) -> RegionGenerator:
    generator = RegionGenerator(config, rng=torch.Generator().manual_seed(4))
    with torch.no_grad():
        generator.renderer.sigmoid_beta.fill_(0.004)
        for network in generator.renderer.networks():
            network.sdf_linear.weight.mul_(0.05)
            network.sdf_linear.bias.fill_(0.0)
            network.mask_linears.weight.mul_(60)
            network.rgb_linear.weight.mul_(12)
        round_the_first_shape(generator)
    return generator.eval().requires_grad_(False)


def round_the_first_shape(generator: RegionGenerator, radius_share: float = 0.6) -> None:
    """Make the initial shape a ball, whatever the codes.

    The first layer's cosines of x, y and z are nearly linear in their squares; the layers behind
    pass them on; the head adds them up to (r^2 - R^2) / 2R.
    """
    config, network = generator.config, generator.renderer.init_network
    layers = [*network.shape_linears, *network.texture_linears]
    for index, layer in enumerate(layers):
        for parameter in layer.parameters():
            parameter.zero_()
        gain = 1.0 if index == 0 else 0.5
        layer.weight[:3, :3] = gain / 30 * torch.eye(3)
    layers[0].beta.bias.fill_(4 * math.pi / 2)
    line = torch.linspace(-1, 1, 9)
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(1, -1, 3)
    code = torch.zeros(1, config.style_dim)
    trunk = network.trunk(points, code, code).texture[0, :, :3]
    inputs = torch.cat([trunk, torch.ones(len(trunk), 1)], dim=1)
    square = points[0].square().sum(dim=1, keepdim=True)
    wanted = config.extent * (square - radius_share**2) / (2 * radius_share)
    solution = torch.linalg.lstsq(inputs, wanted).solution
    network.sdf_linear.weight.zero_()
    network.sdf_linear.weight[0, :3] = solution[:3, 0]
    network.sdf_linear.bias.copy_(solution[3])
