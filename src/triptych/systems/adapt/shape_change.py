"""What a style does to densities: how rough they are, and how far from those of the plain head."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from triptych.models.eg3d import TriPlaneGenerator
from triptych.systems.adapt.losses import DENSITY_NOISE, density_loss

_POINTS, _CELLS = 2000, 64


def shape_terms(
    generator: TriPlaneGenerator, planes: Tensor, plain: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return how much densities differ between near points [], and the change of opacity [].

    The change is measured at points of the whole box, in units of the plain head's mean opacity:
    statistics of pictures can be met by clouds beside a head, and this cannot.

    Args:
        generator: Its decoder reads the planes.
        planes: Of styled heads [b, 3, c, h, w].
        plain: Of the same heads without the style.
        rng: Source of the points.
    """
    half = generator.config.box_size / 2
    points = (torch.rand(len(planes), _POINTS, 3, generator=rng) * 2 - 1) * half
    near = points + DENSITY_NOISE * torch.randn(points.shape, generator=rng)
    both = torch.cat([points, near], dim=1).to(planes)
    densities = generator.field(planes).geometry(both)
    with torch.no_grad():
        own = _opacity(generator, generator.field(plain).geometry(both))
    change = (_opacity(generator, densities) - own).abs().mean() / own.mean().clamp_min(1e-3)
    return density_loss(densities), change


def _opacity(generator: TriPlaneGenerator, raw: Tensor) -> Tensor:
    """Return the opacity of a cell of the box with raw densities, 0..1."""
    config = generator.config
    thickness = config.rendering.density_gain * config.box_size / _CELLS
    return 1 - torch.exp(-functional.softplus(raw - 1) * thickness)
