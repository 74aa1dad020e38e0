"""Two balls of known place, colour and region, rendered on the exact path and past empty space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from two_balls import (
    LEFT,
    LEFT_COLOUR,
    LEFT_RADIUS,
    RIGHT,
    RIGHT_COLOUR,
    RIGHT_RADIUS,
    SDF,
    TwoBalls,
    two_balls_rendering,
)

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.fields.base import FieldSample
from triptych.render.field_geometry import geometry_grid, surface_colours
from triptych.render.occupancy import occupancy_grid
from triptych.render.occupied_rays import render_rays_with_occupancy
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import RenderConfig, render_at_depths, render_rays

KINDS = pytest.mark.parametrize("kind", ["density", "sdf"])


def rays_along_z(*columns: float) -> Rays:
    """Return rays from z = 2.7 towards -z at y = 0 and the given x."""
    origins = torch.tensor([[[x, 0.0, 2.7] for x in columns]])
    return Rays(origins, torch.tensor([0.0, 0.0, -1.0]).expand_as(origins))


@KINDS
def test_colour_depth_alpha_and_region_of_each_ball(kind):
    seen = render_rays(
        TwoBalls(kind), rays_along_z(LEFT[0], RIGHT[0], 0.45), two_balls_rendering(kind)
    )
    expected = torch.tensor([LEFT_COLOUR, RIGHT_COLOUR, (0.75, 0.75, 0.75)]) * 2 - 1
    torch.testing.assert_close(seen.features[0], expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(seen.alpha[0, :, 0], torch.tensor([1.0, 1, 0]), rtol=0, atol=2e-3)
    shares = torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    torch.testing.assert_close(seen.regions[0], shares, rtol=0, atol=2e-3)
    front = [2.7 - LEFT[2] - LEFT_RADIUS, 2.7 - RIGHT[2] - RIGHT_RADIUS, 3.3]
    torch.testing.assert_close(seen.depth[0, :, 0], torch.tensor(front), rtol=0, atol=0.015)


@KINDS
def test_the_nearer_ball_hides_the_other(kind):
    origin = torch.tensor([[[2.7, 0.0, 0.0]]])
    from_the_right = Rays(origin, torch.tensor([[[-1.0, 0.0, 0.0]]]))
    seen = render_rays(TwoBalls(kind), from_the_right, two_balls_rendering(kind))
    assert seen.regions.flatten().tolist() == pytest.approx([0.0, 1.0], abs=2e-3)
    half_chord = math.sqrt(RIGHT_RADIUS**2 - RIGHT[2] ** 2)
    assert seen.depth.item() == pytest.approx(2.7 - RIGHT[0] - half_chord, abs=0.015)


def test_a_translucent_ball_hides_by_beers_law():
    density, chord = 5.0, 2 * RIGHT_RADIUS
    thin = TwoBalls("density", inside=1 + math.log(math.expm1(density / 30)))
    config = replace(two_balls_rendering("density"), num_coarse=1000, num_fine=0)
    seen = render_rays(thin, rays_along_z(RIGHT[0]), config)
    alpha = 1 - math.exp(-density * chord)
    assert seen.alpha.item() == pytest.approx(alpha, abs=5e-3)
    assert seen.regions[0, 0].tolist() == pytest.approx([0.0, alpha], abs=5e-3)
    expected = [(c * alpha + 0.75 * (1 - alpha)) * 2 - 1 for c in RIGHT_COLOUR]
    assert seen.features[0, 0].tolist() == pytest.approx(expected, abs=0.01)
    inside = 1 / density - chord * math.exp(-density * chord) / alpha
    front = 2.7 - RIGHT[2] - RIGHT_RADIUS
    assert seen.depth.item() == pytest.approx(front + inside, abs=5e-3)


def test_an_endless_last_sample_shows_what_the_field_says_there():
    soft = replace(SDF, beta=0.03)
    config = replace(two_balls_rendering("sdf"), sdf=replace(soft, last_sample="endless"))
    beside = rays_along_z(0.45)
    seen = render_rays(TwoBalls("sdf"), beside, config)
    open_ended = render_rays(TwoBalls("sdf"), beside, replace(config, sdf=soft))
    # Nothing is behind the field that the background could show through.
    assert seen.regions.flatten().tolist() == pytest.approx([0.0, 1.0], abs=1e-3)
    assert seen.features[0, 0].tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=2e-3)
    assert 0.0 < seen.alpha.item() < 0.5
    torch.testing.assert_close(seen.alpha, open_ended.alpha)
    grid = occupancy_grid(TwoBalls("sdf"), config)
    with pytest.raises(UserError, match="use the exact path"):
        render_rays_with_occupancy(TwoBalls("sdf"), beside, config, grid)


@KINDS
def test_leaving_out_empty_space_shows_the_same(kind):
    subject, config = TwoBalls(kind), two_balls_rendering(kind)
    rays = camera_rays(look_at_camera(torch.tensor([0.0, 0.9, 3.0]), 0.2, target=(0.0,) * 3), 24)
    grid = occupancy_grid(subject, config)
    assert 0.01 < grid.occupancy < 0.2
    fast = render_rays_with_occupancy(subject, rays, config, grid)
    exact = render_rays(subject, rays, config)
    seen = exact.alpha > 0.05
    assert 0.05 < seen.float().mean() < 0.9
    torch.testing.assert_close(fast.features, exact.features, rtol=0, atol=2e-3)
    torch.testing.assert_close(fast.alpha, exact.alpha, rtol=0, atol=2e-3)
    torch.testing.assert_close(fast.regions, exact.regions, rtol=0, atol=2e-3)
    torch.testing.assert_close(fast.depth[seen], exact.depth[seen], rtol=0, atol=2e-3)


@KINDS
def test_the_occupied_cells_are_those_of_the_balls(kind):
    grid = occupancy_grid(TwoBalls(kind), two_balls_rendering(kind), size=50)
    inner = grid.occupied.reshape(52, 52, 52)[1:-1, 1:-1, 1:-1]
    line = (torch.arange(50) + 0.5) / 50 - 0.5
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    distance = TwoBalls("sdf").geometry(torch.stack([x, y, z], -1).reshape(1, -1, 3))
    distance = distance.reshape(50, 50, 50)
    assert bool(inner[distance < 0].all())
    # One cell around, along the diagonal, and for distances where sigmoid(-d / beta) dies away.
    assert not bool(inner[distance > 0.02 * math.sqrt(3) + 0.03].any())


@KINDS
def test_chunks_of_rays_do_not_change_regions(kind):
    rays, config = rays_along_z(*torch.linspace(-0.4, 0.4, 11).tolist()), two_balls_rendering(kind)
    whole = render_rays(TwoBalls(kind), rays, config)
    pieces = render_rays(TwoBalls(kind), rays, config, points_per_chunk=400)
    torch.testing.assert_close(pieces.regions, whole.regions)
    torch.testing.assert_close(pieces.alpha, whole.alpha)


@KINDS
def test_given_depths_show_regions_too(kind):
    rays, config = rays_along_z(LEFT[0], RIGHT[0]), two_balls_rendering(kind)
    depths = torch.linspace(2.25, 3.3, 200).expand(1, 2, 200)
    seen = render_at_depths(TwoBalls(kind), rays, depths, config)
    torch.testing.assert_close(seen.regions[0], torch.eye(2), rtol=0, atol=2e-3)


@KINDS
def test_colours_on_the_surfaces_are_those_of_the_balls(kind):
    normals = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.6, 0.8]])
    points = torch.tensor([LEFT, RIGHT]) + normals * torch.tensor([[LEFT_RADIUS], [RIGHT_RADIUS]])
    colours = surface_colours(TwoBalls(kind), two_balls_rendering(kind), points, normals)
    expected = torch.tensor([LEFT_COLOUR, RIGHT_COLOUR]) * 2 - 1
    torch.testing.assert_close(colours, expected, rtol=0, atol=1e-5)


def test_a_grid_of_distances_is_indexed_x_y_z():
    grid = geometry_grid(TwoBalls("sdf").geometry, 1.0, 11)
    assert float(grid[10, 5, 5]) == pytest.approx(
        math.hypot(0.5 - RIGHT[0], RIGHT[2]) - RIGHT_RADIUS
    )
    assert float(grid[3, 5, 5]) == pytest.approx(-LEFT_RADIUS)


@dataclass(frozen=True)
class FacingColours:
    """An opaque wall at z = 0 whose colour is the direction in which it is looked at."""

    geometry_kind = "density"
    box_size: float = 1.0

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        density = (-4000 * points[..., 2:]).clamp(-50, 50)
        return FieldSample(density, torch.zeros_like(points) if directions is None else directions)


def test_fields_are_told_from_where_they_are_looked_at():
    rays = camera_rays(look_at_camera(0.2, 0.1, target=(0.0, 0.0, 0.0)), 16)
    config = RenderConfig(density_gain=30.0)
    exact = render_rays(FacingColours(), rays, config)
    seen = (exact.alpha > 0.999).expand(-1, -1, 3)
    assert seen.float().mean() > 0.9
    torch.testing.assert_close(((exact.features + 1) / 2)[seen], rays.directions[seen])
    grid = occupancy_grid(FacingColours(), config)
    fast = render_rays_with_occupancy(FacingColours(), rays, config, grid)
    torch.testing.assert_close(fast.features, exact.features, rtol=0, atol=2e-3)
