"""The module that maps the edited front view to planes and is fitted: H or its ablations."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.placement import channels_last
from triptych.systems.stylize.image_to_triplane import ImageToTriplane
from triptych.systems.stylize.settings import PlaneSource


def trainable_plane_source(
    kind: PlaneSource,
    image_to_triplane: ImageToTriplane | None,
    generator: TriPlaneGenerator,
    ws: Tensor,
    seed: int,
) -> nn.Module:
    """Build the module that is fitted: it maps a front view [1, 3, h, w] to planes [1, 3, c, h, w].

    Args:
        kind: The paper's network or one of its ablations (FF3D, Table 2).
        image_to_triplane: Pre-trained network; it is copied, never changed. "none" needs none.
        generator: The prior, used frozen by "none".
        ws: Style codes [1, k, d] of the head.
        seed: Decides the fresh weights of "no_pretraining".
    """
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
