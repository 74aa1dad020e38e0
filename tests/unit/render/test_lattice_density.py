from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from triplane_fields import random_field

from triptych.render.field_geometry import geometry_grid
from triptych.render.lattice_density import (
    fast_density_grid,
    fast_occupancy_grid,
    lattice_density,
)
from triptych.render.occupancy import occupancy_grid
from triptych.render.renderer import RenderConfig

AXES = ("legacy", "corrected")


@pytest.mark.parametrize("beyond_box", ["decoded", "empty"])
@pytest.mark.parametrize("axes", AXES)
def test_every_point_has_the_density_of_the_field(axes, beyond_box):
    """Lines differ along each axis and reach beyond the cube: no axis is taken for another."""
    field = replace(random_field(axes), beyond_box=beyond_box)
    lines = (
        torch.tensor([-0.9, -0.55, -0.1, 0.2, 0.61]),
        torch.tensor([-0.3, 0.0, 0.58]),
        torch.tensor([-0.61, 0.05, 0.25, 0.7]),
    )
    points = torch.cartesian_prod(*lines)[None]
    expected = field.query(points).geometry.reshape(5, 3, 4)
    torch.testing.assert_close(lattice_density(field, lines), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("axes", AXES)
def test_grids(axes):
    field = random_field(axes)
    exact = geometry_grid(field.geometry, field.box_size, 21)
    torch.testing.assert_close(fast_density_grid(field, 21), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("beyond_box", ["decoded", "empty"])
@pytest.mark.parametrize("axes", AXES)
def test_occupancy_grids(axes, beyond_box):
    field = replace(random_field(axes), beyond_box=beyond_box)
    config = RenderConfig(density_gain=2.0)
    exact = occupancy_grid(field, config, size=24)
    fast = fast_occupancy_grid(field, config, 24)
    torch.testing.assert_close(fast.geometry, exact.geometry, rtol=0, atol=1e-5)
    assert (fast.size, fast.box_size) == (exact.size, exact.box_size)
    assert torch.equal(fast.occupied, exact.occupied)
    assert torch.equal(fast.nearby, exact.nearby)
