"""The module that maps the edited front view to planes and is fitted: H or its ablations."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.placement import channels_last
from triptych.ops.resize import resize_bilinear
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.systems.stylize.settings import PlaneSource

_LEVEL_FRACTIONS = (8, 4, 2, 1)  # of the planes' side
# Adam goes by its rate whatever the gradient, so that these are how far each level goes: by 1.2,
# 1.2, 0.9 and 0.4 a step at the usual rate of 5e-4.
_LEVEL_GAINS = (2400.0, 2400.0, 1800.0, 800.0)


def trainable_plane_source(
    kind: PlaneSource,
    image_to_triplane: ImageToTriplane | None,
    generator: TriPlaneGenerator,
    ws: Tensor,
    seed: int,
    planes: Tensor | None = None,
) -> nn.Module:
    """Build the module that is fitted: it maps a front view [1, 3, h, w] to planes [1, 3, c, h, w].

    Args:
        kind: The paper's network, one of its ablations (FF3D, Table 2), or "levels".
        image_to_triplane: Pre-trained network; it is copied, never changed. "none" and "levels"
            need none.
        generator: The prior, used frozen by "none".
        ws: Style codes [1, k, d] of the head.
        seed: Decides the fresh weights of "no_pretraining".
        planes: Planes [1, 3, c, h, h] of the head, whose size "levels" needs.
    """
    if kind == "levels":
        assert planes is not None, "levels have the size of the head's planes"
        return PlaneLevels(planes)
    if kind == "none":
        return ModulatedGenerator(generator, ws)
    assert image_to_triplane is not None
    config = image_to_triplane.config
    if kind == "vector":
        config = dataclasses.replace(config, code_pooling="vector")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ImageToTriplane(config)
        if kind == "no_pretraining":
            _draw_plane_heads(network)
    if kind != "no_pretraining":
        network.load_state_dict(image_to_triplane.state_dict())
    return channels_last(network.to(ws.device))


class PlaneLevels(nn.Module):
    """Planes that are the sum of levels of rising size, zero at first; the image is ignored.

    Planes finer than a network's hold details that what it adds cannot take back: where colours
    are nearly black or white, differences that did not show before do once the head is bronze.
    Levels reach all of them; coarse ones move far, fine ones hold detail.

    Args:
        planes: Planes [1, 3, c, h, h] as large as the sum.
    """

    def __init__(self, planes: Tensor) -> None:
        super().__init__()
        _, number, channels, side, _ = planes.shape
        sides = [max(1, side // fraction) for fraction in _LEVEL_FRACTIONS]
        self.side = side
        self.levels = nn.ParameterList(
            [planes.new_zeros(number, channels, level, level) for level in sides]
        )

    def forward(self, image: Tensor) -> Tensor:
        total = self.levels[0] * _LEVEL_GAINS[0]
        for level, gain in zip(list(self.levels)[1:], _LEVEL_GAINS[1:], strict=True):
            total = resize_bilinear(total, level.shape[-1]) + gain * level
        return total[None]


class ModulatedGenerator(nn.Module):
    """The frozen generator between two trainable modulation layers; the image is ignored.

    The first layer scales and shifts the style codes, the second the channels of the planes.

    Reference:
        FF3D, Table 2, "w/o I2T".
    """

    ws: Tensor

    def __init__(self, generator: TriPlaneGenerator, ws: Tensor) -> None:
        super().__init__()
        # In a list, so that it is no submodule: checkpoints and the optimiser leave it out.
        self.frozen_generator = [generator]
        channels = generator.config.backbone.plane_channels
        self.register_buffer("ws", ws.detach().clone(), persistent=False)
        self.style_scale = nn.Parameter(torch.ones_like(ws))
        self.style_shift = nn.Parameter(torch.zeros_like(ws))
        self.plane_scale = nn.Parameter(torch.ones(3, channels, 1, 1, device=ws.device))
        self.plane_shift = nn.Parameter(torch.zeros(3, channels, 1, 1, device=ws.device))

    def forward(self, image: Tensor) -> Tensor:
        styles = self.style_scale * self.ws + self.style_shift
        planes = self.frozen_generator[0].planes(styles).float()
        return self.plane_scale * planes + self.plane_shift


def _draw_plane_heads(network: ImageToTriplane) -> None:
    """Give an untrained network plane heads that its own layers can reach."""
    for name, weight in network.named_parameters():
        if name.endswith("to_planes.weight"):
            nn.init.kaiming_normal_(weight, nonlinearity="linear")
