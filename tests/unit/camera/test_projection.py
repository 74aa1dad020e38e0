"""Projection of world points by a camera."""

from __future__ import annotations

import torch

from triptych.camera import Camera, frontal_camera, look_at_camera
from triptych.render.rays import camera_rays


def test_known_points_are_projected():
    camera = frontal_camera()  # at (0, 0, 2.7), looking along -z
    points = torch.tensor([[[0.0, 0.0, 0.2], [0.1, 0.0, 0.7], [0.0, 0.1, 0.7], [0.0, 0.0, 3.7]]])
    place, axial = camera.project(points)
    torch.testing.assert_close(axial, torch.tensor([[2.5, 2.0, 2.0, -1.0]]))
    shift = 4.2647 * 0.1 / 2.0
    torch.testing.assert_close(place[0, 0], torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(place[0, 1], torch.tensor([0.5 + shift, 0.5]))  # +x is right
    torch.testing.assert_close(place[0, 2], torch.tensor([0.5, 0.5 - shift]))  # +y is up


def test_projection_inverts_the_rays():
    camera = look_at_camera(torch.tensor([0.3, -0.4]), torch.tensor([0.1, -0.2]))
    rays = camera_rays(camera, 8)
    place, _ = camera.project(rays.origins + 2.5 * rays.directions)
    steps = (torch.arange(8) + 0.5) / 8
    expected = torch.stack([steps.repeat(8), steps.repeat_interleave(8)], dim=1)
    torch.testing.assert_close(place, expected.expand(2, -1, -1), rtol=0, atol=2e-6)


def test_cameras_from_poses_have_a_centred_principal_point():
    poses = look_at_camera(torch.tensor([0.3, -0.4]), 0.1).cam2world
    camera = Camera.with_focal(poses)
    assert torch.equal(camera.cam2world, poses)
    assert torch.equal(camera.intrinsics, look_at_camera(torch.zeros(2), 0.0).intrinsics)
    wide = Camera.with_focal(poses, focal=2.0).intrinsics[1]
    assert wide.tolist() == [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]]
