from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.fields.base import FieldSample, GeometryKind
from triptych.render.rays import Rays, camera_rays
from triptych.render.renderer import Draws, RenderConfig, render_at_depths, render_rays

CONFIG = RenderConfig(num_coarse=12, num_fine=8)


@dataclass(frozen=True)
class Ball:
    """A ball of constant steepness; its features show the position."""

    radius: float = 0.3
    steepness: float = 400_000.0
    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        distance = points.norm(dim=-1, keepdim=True)
        return FieldSample(self.steepness * (self.radius - distance), points + 0.5)


@dataclass(frozen=True)
class Wave:
    """Something everywhere, different everywhere."""

    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        density = 4 * torch.sin(9 * points.sum(dim=-1, keepdim=True)) - 1
        return FieldSample(density, torch.sigmoid(5 * points))


@dataclass(frozen=True)
class Nothing:
    box_size: float = 1.0
    geometry_kind: GeometryKind = "density"

    def query(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> FieldSample:
        return FieldSample(torch.full_like(points[..., :1], -1e4), torch.rand_like(points))


def rays(views: int = 2, size: int = 9) -> Rays:
    return camera_rays(look_at_camera(torch.linspace(-0.5, 0.5, views), 0.1), size)


@pytest.mark.parametrize("background", [-1.0, 0.5, 1.0])
def test_nothing_shows_the_background(background):
    rendered = render_rays(Nothing(), rays(), replace(CONFIG, background=background))
    torch.testing.assert_close(rendered.features, torch.full((2, 81, 3), background))
    assert rendered.alpha.max() == 0
    torch.testing.assert_close(rendered.depth, torch.full((2, 81, 1), 3.3))


@pytest.mark.parametrize("white", [False, True])
def test_background_mixes_by_opacity(white):
    """The same features over two backgrounds differ by the transparency times their distance."""
    dark = render_rays(Wave(), rays(), replace(CONFIG, background=-1.0))
    grey = render_rays(Wave(), rays(), replace(CONFIG, background=1.0 if white else 0.5))
    distance = 2.0 if white else 1.5
    torch.testing.assert_close(
        grey.features - dark.features, ((1 - dark.alpha) * distance).expand(2, 81, 3)
    )
    assert 0.05 < dark.alpha.mean() < 0.95


@pytest.mark.parametrize("limits", [(2.25, 3.3), ("auto", "auto")])
def test_ball_depth_and_normal(limits):
    """Depth of the surface along each ray, from the quadratic equation; features show position."""
    config = replace(CONFIG, num_coarse=64, num_fine=64, ray_start=limits[0], ray_end=limits[1])
    seen = rays(size=15)
    rendered = render_rays(Ball(), seen, config)
    along = -(seen.origins * seen.directions).sum(dim=-1, keepdim=True)
    discriminant = along.square() - seen.origins.square().sum(-1, keepdim=True) + 0.3**2
    well_inside = discriminant > 0.02
    missed = discriminant < -0.005
    expected = along - discriminant.clamp(min=0).sqrt()
    error = (rendered.depth - expected)[well_inside].abs().max()
    assert error < 6e-3
    assert rendered.alpha[well_inside].min() > 0.999
    assert rendered.alpha[missed].max() < 1e-3
    surface = seen.origins + expected * seen.directions
    normals = F.normalize(rendered.features / 2, dim=-1)  # shown position, from the centre
    cosine = (normals * F.normalize(surface, dim=-1)).sum(dim=-1, keepdim=True)
    assert cosine[well_inside].min() > 0.999


@pytest.mark.parametrize("limits", [(2.25, 3.3), ("auto", "auto")])
@pytest.mark.parametrize("seed", [None, 3])
def test_chunking_never_changes_the_result(limits, seed):
    config = replace(CONFIG, ray_start=limits[0], ray_end=limits[1])

    def run(points_per_chunk):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return render_rays(
            Ball(), rays(), config, generator=generator, points_per_chunk=points_per_chunk
        )

    whole, pieces = run(10**9), run(1)
    torch.testing.assert_close(pieces.features, whole.features)
    torch.testing.assert_close(pieces.depth, whole.depth)
    torch.testing.assert_close(pieces.alpha, whole.alpha)


def test_a_batch_gives_what_its_images_give():
    config = replace(CONFIG, ray_start="auto", ray_end="auto")
    both = rays()
    together = render_rays(Wave(box_size=0.5), both, config)
    for view in range(2):
        alone = Rays(both.origins[view : view + 1], both.directions[view : view + 1])
        single = render_rays(Wave(box_size=0.5), alone, config)
        torch.testing.assert_close(together.features[view], single.features[0])
        torch.testing.assert_close(together.depth[view], single.depth[0])


def test_scope_of_the_depth_clamp():
    """An empty image beside a near one takes the depth range of the batch, as in EG3D."""
    near = Rays(torch.tensor([[[0.0, 0, 1.5]]]), torch.tensor([[[0.0, 0, -1]]]))
    far = Rays(torch.tensor([[[0.4, 0.4, 2.5]]]), torch.tensor([[[0.0, 0, -1]]]))
    both = Rays(torch.cat([near.origins, far.origins]), torch.cat([near.directions] * 2))
    config = replace(CONFIG, ray_start="auto", ray_end="auto", num_fine=0)
    per_image = render_rays(Ball(), Rays(both.origins.flip(0), both.directions), config)
    assert per_image.depth[0].item() == pytest.approx(3.0)
    assert per_image.depth[1].item() == pytest.approx(1.2, abs=0.05)
    emptied = Rays(near.origins + torch.tensor([0.4, 0.4, 0]), near.directions)
    both = Rays(torch.cat([emptied.origins, far.origins]), both.directions)
    assert render_rays(Ball(), both, config).depth[0].item() == pytest.approx(2.0)
    shared = render_rays(Ball(), both, replace(config, scope="batch"))
    assert shared.depth[0].item() == pytest.approx(3.0)


def test_seeds_decide_and_nothing_else():
    def run(seed):
        return render_rays(
            Wave(), rays(), CONFIG, generator=torch.Generator().manual_seed(seed)
        ).features

    state = torch.random.get_rng_state()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_explicit_draws_are_what_a_generator_draws():
    seen = rays()
    draws = Draws.random(seen, CONFIG, torch.Generator().manual_seed(4))
    by_draws = render_rays(Wave(), seen, CONFIG, draws=draws)
    by_seed = render_rays(Wave(), seen, CONFIG, generator=torch.Generator().manual_seed(4))
    assert torch.equal(by_draws.features, by_seed.features)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, num_fine=0)])
def test_one_ray_of_one_image_works(config):
    rendered = render_rays(Wave(), rays(1, 1), config)
    assert rendered.features.shape == (1, 1, 3)
    assert torch.isfinite(rendered.features).all()


def test_density_gain_makes_matter_denser():
    thin = render_rays(Wave(), rays(), CONFIG).alpha
    dense = render_rays(Wave(), rays(), replace(CONFIG, density_gain=30.0)).alpha
    assert (dense >= thin).all()
    assert dense.mean() > thin.mean() + 0.1


def test_render_at_depths_equals_the_even_pass():
    seen, config = rays(), replace(CONFIG, num_fine=0)
    depths = torch.linspace(2.25, 3.3, 12).expand(2, 81, 12)
    given = render_at_depths(Wave(), seen, depths.flip(2), config)
    even = render_rays(Wave(), seen, config)
    torch.testing.assert_close(given.features, even.features)
    torch.testing.assert_close(given.depth, even.depth)


def test_gradients_reach_the_field_through_both_passes():
    @dataclass(frozen=True)
    class Tunable:
        level: torch.Tensor
        box_size: float = 1.0
        geometry_kind: GeometryKind = "density"

        def query(self, points, directions=None):
            sample = Wave().query(points)
            return FieldSample(sample.geometry + self.level, sample.features)

    level = torch.zeros([], requires_grad=True)
    loss = render_rays(Tunable(level), rays(), CONFIG).alpha.mean()
    loss.backward()
    step = 1e-2
    with torch.no_grad():
        below, above = (
            render_rays(Tunable(level + change), rays(), CONFIG).alpha.mean()
            for change in (-step, step)
        )
    slope = (above - below) / (2 * step)
    assert level.grad.item() == pytest.approx(slope.item(), rel=0.05)
    assert slope > 0.01


@pytest.mark.parametrize(
    "changes",
    [
        {"num_coarse": 3},
        {"num_fine": -1},
        {"ray_start": "auto"},
        {"ray_start": 4.0},
        {"ray_start": 0.0, "disparity_sampling": True},
    ],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(UserError):
        replace(CONFIG, **changes)


def test_disparity_puts_more_samples_near():
    @dataclass
    class Recorder:
        seen: list[torch.Tensor]
        box_size: float = 1.0
        geometry_kind: GeometryKind = "density"

        def query(self, points, directions=None):
            self.seen.append(points)
            return Wave().query(points)

    config = replace(CONFIG, num_fine=0, ray_start=1.0, ray_end=4.0)
    one_ray = Rays(torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0, 1]]]))
    depths = []
    for disparity in (False, True):
        recorder = Recorder([])
        render_rays(recorder, one_ray, replace(config, disparity_sampling=disparity))
        depths.append(recorder.seen[0][0, :, 2])
    torch.testing.assert_close(depths[0], torch.linspace(1, 4, 12))
    torch.testing.assert_close(1 / depths[1], torch.linspace(1, 0.25, 12))
    assert math.isclose(depths[1][0].item(), 1.0, rel_tol=1e-6)
