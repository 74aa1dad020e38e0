"""Density regularisation (FF3D Eq. 6) on a field whose density is linear."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from triptych.fields.base import FieldSample
from triptych.systems.stylize.density_roughness import density_roughness, points_in_box


@dataclass(frozen=True)
class LinearField:
    """Density = slope . x."""

    slope: Tensor
    box_size: float = 1.0

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        return FieldSample(points @ self.slope[:, None], torch.zeros(*points.shape[:2], 3))


def test_relative_perturbation_by_hand():
    # x = (1, 2, 4), delta = (0.1, 0, 0.5): the point moves by (0.1, 0, 2), and the density of
    # slope (3, 5, -1) changes by 0.3 - 2 = -1.7.
    field = LinearField(torch.tensor([3.0, 5.0, -1.0]))
    x, delta = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[0.1, 0.0, 0.5]]])
    assert density_roughness(field, x, delta, "relative").item() == pytest.approx(1.7)


def test_additive_perturbation_by_hand():
    # The point moves by (0.1, 0, 0.5): 0.3 - 0.5 = -0.2.
    field = LinearField(torch.tensor([3.0, 5.0, -1.0]))
    x, delta = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[0.1, 0.0, 0.5]]])
    assert density_roughness(field, x, delta, "additive").item() == pytest.approx(0.2)


def test_constant_density_is_smooth():
    field = LinearField(torch.zeros(3))
    points = points_in_box(10, 1.0, torch.Generator().manual_seed(0))
    assert density_roughness(field, points, torch.randn(1, 10, 3)).item() == 0.0


def test_points_fill_the_box():
    points = points_in_box(2000, 1.6, torch.Generator().manual_seed(0))
    assert points.shape == (1, 2000, 3)
    assert points.min() >= -0.8
    assert points.max() <= 0.8
    assert points.abs().amax(1).min() > 0.78
    assert points.mean((0, 1)).abs().max() < 0.05
