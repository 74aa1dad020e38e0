from __future__ import annotations

import torch

from triptych.camera import Camera, frontal_camera, look_at_camera
from triptych.render.ray_limits import automatic_limits, box_limits
from triptych.render.rays import Rays, camera_rays


def test_rays_are_unit_and_start_at_the_camera():
    camera = look_at_camera(torch.tensor([0.2, -0.5]), 0.1)
    rays = camera_rays(camera, 6)
    assert rays.directions.shape == (2, 36, 3)
    torch.testing.assert_close(rays.directions.norm(dim=2), torch.ones(2, 36))
    torch.testing.assert_close(rays.origins, camera.positions[:, None].expand(2, 36, 3))


def test_odd_image_has_its_central_ray_along_the_view():
    camera = look_at_camera(0.4, -0.3)
    rays = camera_rays(camera, 5)
    torch.testing.assert_close(rays.directions[:, 12], camera.forward)


def test_rays_run_row_by_row_from_the_upper_left():
    directions = camera_rays(frontal_camera(), 4).directions[0].reshape(4, 4, 3)
    assert (directions[0, :, 1] > 0).all()  # world y is up
    assert (directions[:, 0, 0] < 0).all()
    assert (directions[:, 3, 0] > 0).all()


def test_corner_ray_by_hand():
    """Pixel centre (0.25, 0.25) of a 2-pixel image, focal 0.5, camera at the origin axes."""
    camera = Camera(torch.eye(4)[None], torch.tensor([[[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]]]))
    expected = torch.tensor([-0.5, -0.5, 1.0]) / (1.5**0.5)
    torch.testing.assert_close(camera_rays(camera, 2).directions[0, 0], expected)


def test_skewed_intrinsics():
    camera = Camera(torch.eye(4)[None], torch.tensor([[[1, 0.2, 0.5], [0, 2, 0.5], [0, 0, 1]]]))
    direction = camera_rays(camera, 2).directions[0, 0]
    point = direction / direction[2]
    pixel = camera.intrinsics[0] @ point
    torch.testing.assert_close(pixel, torch.tensor([0.25, 0.25, 1.0]))


def three_rays() -> Rays:
    """Through the middle, through a corner region, and past the unit cube."""
    origins = torch.tensor([[[0.0, 0, 2], [0.3, 0, 3], [2, 0, 2]]])
    directions = torch.tensor([[[0.0, 0, -1], [0, 0, -1], [0, 0, -1]]])
    return Rays(origins, directions)


def test_box_limits_by_hand():
    near, far, hit = box_limits(three_rays(), 1.0)
    assert hit[0].tolist() == [True, True, False]
    assert near[0, :2].tolist() == [1.5, 2.5]
    assert far[0, :2].tolist() == [2.5, 3.5]


def test_ray_inside_a_face_plane_is_finite():
    rays = Rays(torch.tensor([[[0.5, 0, 2]]]), torch.tensor([[[0.0, 0, -1]]]))
    near, far, hit = box_limits(rays, 1.0)
    assert hit.item()
    assert (near.item(), far.item()) == (1.5, 2.5)


def test_missed_rays_legacy_and_corrected():
    """EG3D ends missed rays at the largest *near* depth; corrected takes the largest far depth."""
    near, far = automatic_limits(three_rays(), 1.0, missed="legacy")
    assert near[0].tolist() == [1.5, 2.5, 1.5]
    assert far[0].tolist() == [2.5, 3.5, 2.5]
    near, far = automatic_limits(three_rays(), 1.0, missed="corrected")
    assert near[0].tolist() == [1.5, 2.5, 1.5]
    assert far[0].tolist() == [2.5, 3.5, 3.5]


def test_no_ray_hits():
    near, far = automatic_limits(three_rays().slice(slice(2, 3)), 1.0)
    assert (near.item(), far.item()) == (-1, -2)


def test_scope_of_the_extremes():
    """In the second image nothing hits; over the batch it borrows limits from the first."""
    rays = three_rays()
    both = Rays(torch.cat([rays.origins, rays.origins + 9]), rays.directions.repeat(2, 1, 1))
    near, far = automatic_limits(both, 1.0, scope="image")
    assert near[1].tolist() == [-1, -1, -1]
    assert far[1].tolist() == [-2, -2, -2]
    near, far = automatic_limits(both, 1.0, scope="batch")
    assert near[1].tolist() == [1.5, 1.5, 1.5]
    assert far[1].tolist() == [2.5, 2.5, 2.5]
