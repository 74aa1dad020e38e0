"""The compiled renderer against the exact one, on the same rays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from triplane_fields import random_field

from triptych.camera import orbit
from triptych.errors import UserError
from triptych.fields.folded_triplane import fold
from triptych.render.fast_rays import render_rays_fast
from triptych.render.lattice_density import fast_occupancy_grid
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import Draws, RenderConfig, render_rays

CONFIG = RenderConfig(num_coarse=12, num_fine=12)
SIZE = 24  # three tiles of eight rays
RAYS = camera_rays(orbit(2, (-0.5, 0.4)), SIZE)


def largest_errors(field, config=CONFIG, rays=RAYS, **drawn) -> tuple[float, float, float]:
    """Return how far features, opacity and depth are off, depth where something is seen."""
    grid = fast_occupancy_grid(field, config, 32)
    exact = render_rays(field, rays, config, **drawn)
    fast = render_rays_fast(fold(field), rays, config, grid, **drawn)
    seen = exact.alpha > 0.05
    return (
        float((fast.features - exact.features).abs().max()),
        float((fast.alpha - exact.alpha).abs().max()),
        float((fast.depth - exact.depth)[seen].abs().max()),
    )


@pytest.mark.parametrize("axes", ["legacy", "corrected"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_fine": 0},
        {"background": 0.5},
        {"ray_start": "auto", "ray_end": "auto", "missed_rays": "legacy"},
        {"disparity_sampling": True},
        {"num_coarse": 40, "num_fine": 50},  # more rows than one product of colours
    ],
)
def test_where_matter_is_everywhere_nothing_is_left_out(axes, changes):
    errors = largest_errors(random_field(axes), replace(CONFIG, **changes))
    assert max(errors[:2]) < 1e-5
    assert errors[2] < 1e-4


def test_nothing_is_seen_beyond_the_box_where_nothing_is_there():
    decoded = random_field()
    empty = replace(decoded, beyond_box="empty")
    # From far enough that rays begin outside the cube, whose corners are 1.04 from its centre.
    config = replace(CONFIG, ray_start=1.2, ray_end=4.2, num_coarse=24)
    errors = largest_errors(empty, config)
    assert max(errors[:2]) < 1e-5
    assert errors[2] < 1e-4
    before, after = (render_rays(field, RAYS, config).alpha for field in (decoded, empty))
    assert (before - after).abs().max() > 0.1


@pytest.mark.parametrize("gain", [1.0, 30.0])
def test_an_opaque_ball(ball, gain):
    config = replace(ball.config.rendering, num_coarse=24, num_fine=24, density_gain=gain)
    colour, opacity, depth = largest_errors(ball.field, config)
    assert colour < 3e-3
    assert opacity < 2e-3
    assert depth < 5e-3


def test_draws_are_the_same_on_both_paths():
    field, config = random_field(), replace(CONFIG, num_fine=8)
    draws = Draws.random(RAYS, config, torch.Generator().manual_seed(4))
    assert max(largest_errors(field, config, draws=draws)) < 1e-4
    grid, folded = fast_occupancy_grid(field, config, 32), fold(field)
    still = render_rays_fast(folded, RAYS, config, grid)
    drawn = render_rays_fast(folded, RAYS, config, grid, draws=draws)
    seeded = render_rays_fast(
        folded, RAYS, config, grid, generator=torch.Generator().manual_seed(4)
    )
    assert not torch.allclose(still.features, drawn.features, atol=1e-3)
    assert torch.equal(seeded.features, drawn.features)


def test_threads_and_neighbours_do_not_change_a_ray():
    field = random_field()
    grid, folded = fast_occupancy_grid(field, CONFIG, 32), fold(field)
    together = render_rays_fast(folded, RAYS, CONFIG, grid).features
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = render_rays_fast(folded, RAYS, CONFIG, grid).features
    finally:
        torch.set_num_threads(before)
    assert torch.equal(alone, together)
    few = Rays(RAYS.origins[1:, 5:8], RAYS.directions[1:, 5:8])
    some = render_rays_fast(folded, few, CONFIG, grid).features
    torch.testing.assert_close(some, together[1:, 5:8], rtol=0, atol=1e-6)


def test_rays_that_meet_nothing_show_the_background(ball):
    config = ball.config.rendering
    away = Rays(RAYS.origins, -RAYS.directions)
    grid = fast_occupancy_grid(ball.field, config, 64)
    seen = render_rays_fast(fold(ball.field), away, config, grid)
    assert (seen.features == config.background).all()
    assert not seen.alpha.any()
    torch.testing.assert_close(seen.depth, torch.full_like(seen.depth, 3.3))


def test_a_grid_of_another_cube_is_refused():
    field = random_field()
    grid = fast_occupancy_grid(field, CONFIG, 16)
    with pytest.raises(UserError, match="make the grid from this field"):
        render_rays_fast(fold(replace(field, box_size=1.0)), RAYS, CONFIG, grid)
