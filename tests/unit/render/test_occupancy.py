from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
import torch
import torch.nn.functional as F

from triptych.camera import orbit
from triptych.errors import UserError
from triptych.fields.base import FieldSample, GeometryKind
from triptych.models.eg3d import TriPlaneGenerator, avatar_config
from triptych.render.marching_rules import MidpointRule
from triptych.render.occupancy import occupancy_grid
from triptych.render.occupied_rays import render_rays_with_occupancy
from triptych.render.rays import camera_rays
from triptych.render.renderer import RenderConfig, render_rays

CONFIG = RenderConfig(num_coarse=24, num_fine=24, background=0.5, density_gain=30.0)
RAYS = camera_rays(orbit(2, (-0.5, 0.4)), 40)


def peak_signal_to_noise(actual: torch.Tensor, expected: torch.Tensor) -> float:
    error = (actual - expected).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(4 / error)


@dataclass(frozen=True)
class Ball:
    """A ball with soft edges that counts how many points it is asked about."""

    centre: tuple[float, float, float] = (0.05, 0.1, 0.0)
    radius: float = 0.28
    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"
    asked: list[int] = field(default_factory=list)

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        self.asked.append(points.shape[0] * points.shape[1])
        offset = points - points.new_tensor(self.centre)
        density = (self.radius - offset.norm(dim=-1, keepdim=True)) * 150
        return FieldSample(density.clamp(min=-12), torch.sigmoid(6 * offset))


@dataclass(frozen=True)
class Wall:
    """Matter only outside the cube, behind it; constant along z there, as in a tri-plane field."""

    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        shown = points[..., :1].square() + points[..., 1:2].square() < 0.04
        behind = points[..., 2:] < -0.5
        density = torch.where(shown & behind, 20.0, -12.0)
        return FieldSample(density, torch.full_like(points, 0.2))


@dataclass(frozen=True)
class Nothing:
    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        return FieldSample(torch.full_like(points[..., :1], -12.0), torch.ones_like(points))


def both_paths(subject, config=CONFIG, seed=None):
    grid = occupancy_grid(subject, config)

    def generator():
        return None if seed is None else torch.Generator().manual_seed(seed)

    exact = render_rays(subject, RAYS, config, generator=generator())
    fast = render_rays_with_occupancy(subject, RAYS, config, grid, generator=generator())
    return fast, exact


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_fine": 0},
        {"background": -1.0},
        {"ray_start": "auto", "ray_end": "auto"},
        {"density_gain": 1.0},
    ],
)
def test_a_ball_looks_the_same(changes):
    fast, exact = both_paths(Ball(), replace(CONFIG, **changes))
    assert exact.alpha.max() > 0.9
    assert peak_signal_to_noise(fast.features, exact.features) > 60
    torch.testing.assert_close(fast.alpha, exact.alpha, atol=2e-3, rtol=0)
    seen = exact.alpha > 0.05
    torch.testing.assert_close(fast.depth[seen], exact.depth[seen], atol=5e-3, rtol=0)


def test_jitter_is_the_same_on_both_paths():
    config = replace(CONFIG, num_fine=0)  # importance samples would hide the jitter
    fast, exact = both_paths(Ball(), config, seed=3)
    still, _ = both_paths(Ball(), config)
    assert peak_signal_to_noise(fast.features, exact.features) > 60
    assert peak_signal_to_noise(fast.features, still.features) < 50


def test_few_samples_are_decoded():
    subject = Ball()
    grid = occupancy_grid(subject, CONFIG)
    subject.asked.clear()
    render_rays_with_occupancy(subject, RAYS, CONFIG, grid)
    decoded = sum(subject.asked)
    assert decoded < 0.45 * 2 * 40 * 40 * 48
    assert grid.occupancy < 0.2


def test_matter_just_outside_the_cube_is_seen():
    fast, exact = both_paths(Wall())
    assert exact.alpha.mean() > 0.02
    assert peak_signal_to_noise(fast.features, exact.features) > 50


def test_nothing_shows_the_background_at_the_far_limit():
    fast, _ = both_paths(Nothing())
    assert (fast.features == 0.5).all()
    assert (fast.alpha == 0).all()
    torch.testing.assert_close(fast.depth, torch.full_like(fast.depth, 3.3))


def test_cells_count_x_fastest_and_reach_one_beyond():
    grid = occupancy_grid(Nothing(), CONFIG, size=4)
    points = torch.tensor([[-0.49, -0.49, -0.49], [-0.2, -0.49, -0.49], [9.0, -0.49, -0.49]])
    first = 1 * 36 + 1 * 6 + 1
    assert grid.cells(points).tolist() == [first, first + 1, first + 4]
    assert grid.cells(torch.full((1, 3), -9.0)).item() == 0
    assert grid.cells(torch.full((1, 3), 9.0)).item() == 6**3 - 1


def test_points_that_are_no_numbers_have_a_cell_all_the_same():
    grid = occupancy_grid(Nothing(), CONFIG, size=4)
    points = torch.tensor([[math.nan] * 3, [math.inf, -math.inf, math.nan], [3e38, -3e38, 0.0]])
    assert grid.cells(points).tolist() == [0, 5, 3 * 36 + 5]


def egg_shaped_portrait() -> tuple[TriPlaneGenerator, torch.Tensor]:
    """Planes and decoder written by hand: an egg with bumps and coloured patches."""
    config = replace(avatar_config(4), image_size=40, render_size=40)
    model = TriPlaneGenerator(config).eval().requires_grad_(False)
    rng = torch.Generator().manual_seed(21)
    size = config.backbone.plane_size
    centres = (torch.arange(size) + 0.5) / size - 0.5
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    colours = torch.randn(3, 16, 12, 12, generator=rng)
    planes = 2 * F.interpolate(colours, size=(size, size), mode="bicubic")[None]
    bumps = F.interpolate(torch.randn(3, 1, 40, 40, generator=rng), size=(size, size))[None, :, 0]
    planes[:, 0, 0] = 1.5 - (u / 0.26) ** 2 - (v / 0.36) ** 2
    planes[:, 1, 0] = 1.5 - (v / 0.28) ** 2
    planes[:, 2, 0] = 0
    planes[:, :, 0] += 0.1 * bumps
    first, last = model.decoder.net[0], model.decoder.net[2]
    first.weight[0] = 0
    first.weight[0, 0] = 240.0  # the hidden unit is 20 times the sum of the first channels
    last.weight[0] = 0
    last.weight[0, 0] = 16.0
    last.bias[0] = -80.0
    last.weight[1:, 0] = 0
    return model, planes


def test_a_triplane_portrait_looks_the_same():
    model, planes = egg_shaped_portrait()
    ws, camera = torch.zeros(1, model.num_ws, 256), orbit(2, (-0.5, 0.4))
    exact = model.render(planes, ws, camera)
    fast = model.render(planes, ws, camera, occupancy=model.occupancy(planes))
    assert 0.2 < exact.alpha.mean() < 0.9
    assert exact.image.std() > 0.1
    assert peak_signal_to_noise(fast.image, exact.image) > 45


def test_grids_belong_to_one_portrait_and_one_box():
    model, planes = egg_shaped_portrait()
    with pytest.raises(UserError, match="one portrait"):
        model.occupancy(planes.repeat(2, 1, 1, 1, 1))
    with pytest.raises(UserError, match="one portrait"):
        model.render(
            planes.repeat(2, 1, 1, 1, 1),
            torch.zeros(2, model.num_ws, 256),
            orbit(2),
            occupancy=model.occupancy(planes),
        )
    with pytest.raises(UserError, match="cube"):
        render_rays_with_occupancy(Ball(box_size=1.5), RAYS, CONFIG, occupancy_grid(Ball(), CONFIG))


@pytest.mark.parametrize("gain", [1.0, 30.0])
def test_lowest_occupied_raw_density_has_the_activated_density_that_was_asked_for(gain):
    raw = MidpointRule(gain).lowest_occupied(0.05)
    assert F.softplus(torch.tensor(raw - 1)).item() * gain == pytest.approx(0.05, rel=1e-4)
