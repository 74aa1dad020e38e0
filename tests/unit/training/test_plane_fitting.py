"""Planes fitted to views with depth: they come to show the views, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_portraits import sphere_portrait

from triptych.camera import FOCAL, look_at_camera
from triptych.errors import UserError
from triptych.metrics.image_metrics import psnr
from triptych.render.nearby_surfaces import nearby_surfaces, spread_outwards, surfaces_beside
from triptych.training.plane_fitting import DepthViews, PlaneFitConfig, PlaneFitting

CAMERAS = look_at_camera(torch.tensor([-0.5, 0.0, 0.5]), torch.tensor([0.0, 0.2, -0.2]))
# The ball's decoder is a thousand times steeper than a trained one.
QUICK = PlaneFitConfig(
    steps=30, rays=600, patches=1, patch=16, learning_rate=0.01, reach=4, empty_points=100
)


def views_of(portrait, size: int = 32) -> DepthViews:
    """Render what fitting needs; depth is the camera's z, 0 beside the head."""
    seen = portrait.render(CAMERAS, size, path="exact")
    from triptych.render.rays import camera_rays

    directions = camera_rays(CAMERAS, size).directions
    forward = CAMERAS.cam2world[:, None, :3, 2]
    cosine = (directions * forward).sum(-1).view(len(CAMERAS), size, size)
    solid = seen.alpha[:, 0] > 0.5
    depth = torch.where(solid, seen.depth[:, 0] * cosine, 0.0)
    return DepthViews(seen.image, seen.alpha[:, 0], depth, CAMERAS.cam2world, FOCAL)


@pytest.fixture(scope="module")
def sphere():
    return sphere_portrait()


def uncoloured(portrait):
    """The same ball with the same red everywhere."""
    planes = portrait.planes.clone()
    planes[:, :, 1:] = 0
    return replace(portrait, planes=planes)


def fitting(portrait, views, config=QUICK, **options) -> PlaneFitting:
    return PlaneFitting(portrait.field, views, portrait.rendering, config, **options)


def test_planes_come_to_show_the_views(sphere):
    views, start = views_of(sphere), uncoloured(sphere)
    planes = fitting(start, views).run()
    assert torch.equal(start.planes, uncoloured(sphere).planes)
    before = start.render(CAMERAS, 32, path="exact").image
    after = replace(sphere, planes=planes).render(CAMERAS, 32, path="exact").image
    gained = psnr(after, views.image) - psnr(before, views.image)
    assert gained.min() > 5


def test_the_loss_of_the_planes_that_made_the_views_is_small(sphere):
    right = fitting(sphere, views_of(sphere)).loss().detach()
    wrong = fitting(uncoloured(sphere), views_of(sphere)).loss().detach()
    assert float(right) < 0.2 * float(wrong)


def test_equal_seeds_give_equal_planes_and_steps_are_counted(sphere):
    views, start, told = views_of(sphere), uncoloured(sphere), []
    config = replace(QUICK, steps=2)
    one = fitting(start, views, config, seed=3).run(lambda *step: told.append(step))
    two = fitting(start, views, config, seed=3).run()
    other = fitting(start, views, config, seed=4).run()
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert told == [(1, 2), (2, 2)]


def test_patches_are_whole_squares_of_the_views(sphere):
    """A perceptual distance sees colours that lie beside each other in the views."""
    views, seen = views_of(sphere), []

    def distance(pred, target):
        seen.append(target)
        return (pred - target).square().mean((1, 2, 3))

    state = fitting(sphere, views, replace(QUICK, patches=3), perceptual=distance)
    state.loss().backward()
    assert state.planes.grad is not None
    (target,) = seen
    assert target.shape == (3, 3, 16, 16)
    windows = views.image.unfold(2, 16, 1).unfold(3, 16, 1)
    for patch in target:
        difference = (windows - patch[None, :, None, None]).abs().amax((1, 4, 5))
        assert float(difference.min()) == 0


def test_matter_far_from_the_head_costs(sphere):
    views = views_of(sphere)
    with_term = fitting(
        sphere, views, replace(QUICK, empty=5.0), occupancy=sphere.occupancy, seed=1
    )
    without = fitting(sphere, views, replace(QUICK, empty=0.0), occupancy=sphere.occupancy, seed=1)
    for state in (with_term, without):
        with torch.no_grad():
            state.planes[:, :, 0, :20, :20] += 50.0
    assert float(with_term.loss().detach()) > float(without.loss().detach()) + 0.01


def test_automatic_ray_limits_are_refused(sphere):
    rendering = replace(sphere.rendering, ray_start="auto", ray_end="auto")
    with pytest.raises(UserError, match="fixed ray limits"):
        PlaneFitting(sphere.field, views_of(sphere), rendering, QUICK)


def test_rays_of_any_picture_take_the_surfaces_of_their_own():
    rng = torch.Generator().manual_seed(0)
    depth = torch.rand(3, 8, 8, generator=rng) + 1
    known = torch.rand(3, 8, 8, generator=rng) > 0.4
    pixels = torch.randint(8, (3, 20, 2), generator=rng)
    by_picture = nearby_surfaces(depth, known, pixels, 4, 2, torch.Generator().manual_seed(1))
    spread, found = spread_outwards(depth, known, 2)
    views = torch.arange(3)[:, None].expand(3, 20)
    by_ray = surfaces_beside(spread, found, views, pixels, 4, torch.Generator().manual_seed(1))
    assert all(torch.equal(one, other) for one, other in zip(by_picture, by_ray, strict=True))
