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


def test_samples_are_sorted_within_limits_and_gathered_at_the_surface():
    sampling = GuidedSampling(num_spread=4, num_guided=8, deviation=0.01, near=2.0, far=3.0)
    surface = torch.full((2, 50), 2.6)
    known = torch.ones(2, 50, dtype=torch.bool)
    depths = guided_depths(surface, known, sampling, torch.Generator().manual_seed(0))
    assert depths.shape == (2, 50, 12)
    assert (depths.diff(dim=-1) >= 0).all()
    assert depths.min() >= 2.0
    assert depths.max() <= 3.0
    near_surface = ((depths - 2.6).abs() < 0.04).sum(-1)
    assert (near_surface >= 8).all()


def test_rays_without_a_surface_are_sampled_everywhere():
    sampling = GuidedSampling(num_spread=4, num_guided=40, deviation=0.01, near=2.0, far=3.0)
    surface, known = torch.zeros(1, 200), torch.zeros(1, 200, dtype=torch.bool)
    depths = guided_depths(surface, known, sampling, torch.Generator().manual_seed(0))
    counts = torch.histc(depths, bins=4, min=2.0, max=3.0)
    assert (counts > 0.2 * depths.numel()).all()


def test_the_spread_samples_cover_every_stratum():
    sampling = GuidedSampling(num_spread=5, num_guided=0, near=0.0, far=5.0)
    depths = guided_depths(
        torch.zeros(1, 30), torch.zeros(1, 30, dtype=torch.bool), sampling,
        torch.Generator().manual_seed(1),
    )  # fmt: skip
    assert torch.equal(depths.floor().long(), torch.arange(5).expand(1, 30, 5))
