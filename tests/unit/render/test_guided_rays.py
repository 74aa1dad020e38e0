"""Rays through pixels and samples gathered at a known surface."""

from __future__ import annotations

import torch

from triptych.camera import FOCAL, look_at_camera
from triptych.render.guided_rays import GuidedSampling, guided_depths, rays_through
from triptych.render.rays import camera_rays


def test_rays_through_all_pixels_are_the_cameras_rays():
    camera, size = look_at_camera(0.3, -0.2), 6
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pixels = torch.stack([columns, rows], -1).reshape(1, -1, 2).float()
    origins, directions, _ = rays_through(camera.cam2world, pixels, size, FOCAL)
    expected = camera_rays(camera, size)
    assert torch.allclose(origins, expected.origins, atol=1e-6)
    assert torch.allclose(directions, expected.directions, atol=1e-6)


def test_length_turns_camera_depth_into_distance_along_the_ray():
    # Half an image beside the centre, the ray leaves at atan(0.5 / FOCAL).
    pixels = torch.tensor([[[-0.5, 1.5]]])
    _, _, length = rays_through(torch.eye(4)[None], pixels, 4, FOCAL)
    expected = (1 + (0.5 / FOCAL) ** 2 + 0.0) ** 0.5
    assert abs(float(length) - expected) < 1e-6


def _depths(sampling: GuidedSampling, surface: float | None, meets: bool, rays: int = 200):
    shape = (2, rays, sampling.num_guided)
    surfaces = torch.full(shape, surface or 0.0)
    known = torch.full(shape, surface is not None)
    meeting = torch.full(shape[:2], meets)
    return guided_depths(surfaces, known, meeting, sampling, torch.Generator().manual_seed(0))


def test_samples_are_sorted_within_limits_and_gathered_at_the_surface():
    sampling = GuidedSampling(num_spread=4, num_guided=8, deviation=0.01, near=2.0, far=3.0)
    depths = _depths(sampling, 2.6, meets=True, rays=50)
    assert depths.shape == (2, 50, 12)
    assert (depths.diff(dim=-1) >= 0).all()
    assert depths.min() >= 2.0
    assert depths.max() <= 3.0
    near_surface = ((depths - 2.6).abs() < 0.04).sum(-1)
    assert (near_surface >= 8).all()


def test_a_ray_beside_a_surface_is_searched_farther_round_it():
    sampling = GuidedSampling(
        num_spread=0, num_guided=400, deviation=0.01, deviation_beside=0.04, near=2.0, far=3.0
    )
    # Half of the samples have the deviation, the others 0.35 of it: sqrt((1 + 0.35^2) / 2) = 0.749.
    assert abs(float(_depths(sampling, 2.5, meets=True).std()) - 0.00749) < 2e-4
    assert abs(float(_depths(sampling, 2.5, meets=False).std()) - 0.02996) < 8e-4


def test_rays_without_a_surface_are_sampled_everywhere():
    sampling = GuidedSampling(num_spread=4, num_guided=40, near=2.0, far=3.0)
    depths = _depths(sampling, None, meets=False)
    counts = torch.histc(depths, bins=4, min=2.0, max=3.0)
    assert (counts > 0.2 * depths.numel()).all()


def test_the_spread_samples_cover_every_stratum():
    sampling = GuidedSampling(num_spread=5, num_guided=0, near=0.0, far=5.0)
    depths = _depths(sampling, None, meets=False, rays=30)
    assert torch.equal(depths.floor().long(), torch.arange(5).expand(2, 30, 5))
