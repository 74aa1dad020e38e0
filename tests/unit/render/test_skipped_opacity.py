"""How much opacity is lost where space that counts as empty is skipped."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from triplane_fields import random_field

from triptych.camera import frontal_camera
from triptych.fields.folded_triplane import fold
from triptych.fields.triplane import TriPlaneField
from triptych.render.fast_rays import render_rays_fast
from triptych.render.lattice_density import fast_occupancy_grid
from triptych.render.occupancy import EMPTY_BELOW
from triptych.render.occupied_rays import render_rays_with_occupancy
from triptych.render.rays import camera_rays
from triptych.render.renderer import RenderConfig, render_rays

CONFIG = RenderConfig(num_coarse=12, num_fine=12)
LENGTH = 3.3 - 2.25
RAYS = camera_rays(frontal_camera(), 8)


def fog(density: float) -> TriPlaneField:
    """Return a field of the same activated density per world unit everywhere."""
    field = random_field()
    last = field.decoder.net[2]
    last.weight.zero_()
    last.bias[0] = CONFIG.rule.lowest_occupied(density)
    return replace(field, planes=torch.zeros_like(field.planes))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("share", [0.999, 1.001])
def test_what_is_lost_is_the_opacity_of_the_threshold_at_most(compiled, share):
    field = fog(share * EMPTY_BELOW)
    grid = fast_occupancy_grid(field, CONFIG, 16)
    exact = render_rays(field, RAYS, CONFIG).alpha
    if compiled:
        fast = render_rays_fast(fold(field), RAYS, CONFIG, grid).alpha
    else:
        fast = render_rays_with_occupancy(field, RAYS, CONFIG, grid).alpha
    opacity = 1 - math.exp(-EMPTY_BELOW * LENGTH)
    torch.testing.assert_close(exact, torch.full_like(exact, opacity), rtol=2e-3, atol=0)
    lost = exact if share < 1 else torch.zeros_like(exact)
    torch.testing.assert_close(exact - fast, lost, rtol=0, atol=1e-5)
