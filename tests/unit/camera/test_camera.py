from __future__ import annotations

import math

import pytest
import torch

from triptych.camera import (
    Camera,
    eg3d_look_at,
    focal_from_fov_deg,
    frontal_camera,
    grid_of_views,
    look_at_camera,
    orbit,
    random_views,
)
from triptych.errors import UserError


def project(camera: Camera, point: tuple[float, float, float]) -> torch.Tensor:
    """Return normalised pixel coordinates [v, 2] of a world point."""
    world = torch.tensor([*point, 1.0])
    in_camera = torch.linalg.inv(camera.cam2world) @ world
    pixel = (camera.intrinsics @ in_camera[:, :3, None])[..., 0]
    return pixel[:, :2] / pixel[:, 2:]


def test_frontal_camera_stands_before_the_face_and_looks_back():
    camera = frontal_camera()
    expected = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    expected[2, 3] = 2.7
    torch.testing.assert_close(camera.cam2world[0], expected)
    torch.testing.assert_close(camera.forward, torch.tensor([[0.0, 0.0, -1.0]]))
    intrinsics = torch.tensor([[4.2647, 0, 0.5], [0, 4.2647, 0.5], [0, 0, 1]])
    torch.testing.assert_close(camera.intrinsics[0], intrinsics)


@pytest.mark.parametrize("target", [(0.0, 0.0, 0.2), (0.1, -0.2, 0.05)])
def test_target_projects_to_the_centre(target):
    camera = look_at_camera(torch.linspace(-3, 3, 9), torch.linspace(-1.4, 1.4, 9), target=target)
    torch.testing.assert_close(project(camera, target), torch.full((9, 2), 0.5))


def test_directions_of_yaw_pitch_and_pixels():
    right = look_at_camera(0.3, 0.0)
    above = look_at_camera(0.0, 0.3)
    assert right.positions[0, 0] > 0
    assert above.positions[0, 1] > 0
    # Pixel y grows downwards: a point above the target appears in the upper half.
    assert project(frontal_camera(), (0.0, 0.1, 0.2))[0, 1] < 0.5
    assert project(frontal_camera(), (0.1, 0.0, 0.2))[0, 0] > 0.5


def test_angles_are_read_back():
    yaw, pitch = torch.linspace(-2, 2, 7), torch.linspace(-1, 1, 7)
    camera = look_at_camera(yaw, pitch, radius=1.9)
    torch.testing.assert_close(camera.yaw, yaw)
    torch.testing.assert_close(camera.pitch, pitch)
    torch.testing.assert_close(camera.positions.norm(dim=1), torch.full((7,), 1.9))


def test_axes_are_orthonormal_and_right_handed():
    rotation = look_at_camera(torch.linspace(-3, 3, 5), 0.4).cam2world[:, :3, :3]
    torch.testing.assert_close(
        rotation @ rotation.transpose(1, 2), torch.eye(3).expand(5, 3, 3), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(5))


def test_label_round_trip():
    camera = look_at_camera(torch.linspace(-1, 1, 4), -0.2)
    label = camera.label25()
    assert label.shape == (4, 25)
    again = Camera.from_label25(label)
    assert torch.equal(again.cam2world, camera.cam2world)
    assert torch.equal(again.intrinsics, camera.intrinsics)


def test_label_of_wrong_width_is_refused():
    with pytest.raises(UserError, match="25"):
        Camera.from_label25(torch.zeros(2, 24))


def test_matrices_of_wrong_shape_are_refused():
    with pytest.raises(UserError, match="wrong shape"):
        Camera(torch.eye(4), torch.eye(3))


def test_indexing_iteration_and_stacking():
    camera = orbit(5, (-0.5, 0.5), pitch=0.1)
    assert len(camera) == 5
    assert len(camera[1]) == 1
    assert torch.equal(camera[-1].cam2world, camera.cam2world[4:])
    assert torch.equal(Camera.stack(list(camera)).cam2world, camera.cam2world)
    assert torch.equal(camera[1:3].cam2world, camera.cam2world[1:3])


def test_orbit_and_grid_cover_their_ranges():
    torch.testing.assert_close(orbit(3, (-0.4, 0.8)).yaw, torch.tensor([-0.4, 0.2, 0.8]))
    grid = grid_of_views(3, 2, (-0.3, 0.3), (-0.1, 0.2))
    torch.testing.assert_close(grid.yaw, torch.tensor([-0.3, 0.0, 0.3, -0.3, 0.0, 0.3]))
    torch.testing.assert_close(grid.pitch, torch.tensor([-0.1, -0.1, -0.1, 0.2, 0.2, 0.2]))


def test_random_views_depend_only_on_the_generator():
    def draw(seed: int) -> Camera:
        generator = torch.Generator().manual_seed(seed)
        return random_views(20, (-0.5, 0.5), (-0.2, 0.1), generator)

    assert torch.equal(draw(1).cam2world, draw(1).cam2world)
    assert not torch.equal(draw(1).cam2world, draw(2).cam2world)
    assert draw(1).yaw.abs().max() <= 0.5
    assert draw(1).pitch.max() <= 0.1 + 1e-6


def test_overhead_pitch_is_refused():
    with pytest.raises(UserError, match="89"):
        look_at_camera(0.0, math.pi / 2)
    with pytest.raises(UserError, match="nan"):
        look_at_camera(0.0, math.nan)


def test_eg3d_vertical_number_is_uniform_in_height():
    offset = 0.2
    camera = eg3d_look_at(math.pi / 2 + 0.3, math.pi / 2 - offset)
    assert float(camera.pitch[0]) == pytest.approx(math.asin(2 * offset / math.pi), abs=1e-6)
    assert float(camera.yaw[0]) == pytest.approx(0.3, abs=1e-6)
    frontal = eg3d_look_at(math.pi / 2, math.pi / 2)
    torch.testing.assert_close(frontal.cam2world, frontal_camera().cam2world, atol=1e-6, rtol=0)


def test_eg3d_field_of_view():
    assert focal_from_fov_deg(18.837) == pytest.approx(4.26339, abs=1e-5)
