"""Cameras of mirrored pictures."""

from __future__ import annotations

import torch

from triptych.camera import Camera, frontal_camera, look_at_camera
from triptych.render.rays import camera_rays


def test_a_mirrored_camera_stands_on_the_other_side():
    camera = look_at_camera(0.4, 0.2)
    expected = look_at_camera(-0.4, 0.2)
    torch.testing.assert_close(camera.mirrored().cam2world, expected.cam2world)
    torch.testing.assert_close(frontal_camera().mirrored().cam2world, frontal_camera().cam2world)


def test_mirroring_twice_changes_nothing():
    camera = look_at_camera(torch.tensor([0.4, -0.1]), 0.2)
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 0, 1], intrinsics[:, 0, 2] = 0.03, 0.45
    camera = Camera(camera.cam2world, intrinsics)
    again = camera.mirrored().mirrored()
    torch.testing.assert_close(again.cam2world, camera.cam2world)
    torch.testing.assert_close(again.intrinsics, intrinsics)


def test_rays_of_mirrored_pixels_are_mirrored_rays():
    camera = look_at_camera(0.3, -0.1)
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 0, 1], intrinsics[:, 0, 2] = 0.05, 0.4
    camera = Camera(camera.cam2world, intrinsics)
    size = 6
    rays, mirrored = camera_rays(camera, size), camera_rays(camera.mirrored(), size)
    directions = rays.directions.view(size, size, 3).flip(1) * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(mirrored.directions.view(size, size, 3), directions)
