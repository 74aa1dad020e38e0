"""Head poses whose cameras can be told by hand."""

from __future__ import annotations

import math

import pytest
import torch

from triptych.camera import frontal_camera
from triptych.photos.deep3d_camera import camera_of_head_pose, unnormalised_camera


def test_a_frontal_head_has_nearly_the_frontal_camera():
    camera = camera_of_head_pose((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    torch.testing.assert_close(camera.cam2world[0, :3, :3], frontal_camera().cam2world[0, :3, :3])
    # Ten decimetres at 0.27 each, with the offset; then brought to 2.7 from the origin.
    raw = unnormalised_camera((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert raw[:3, 3].tolist() == pytest.approx([0.0, 0.006, 2.861])
    assert float(camera.positions.norm()) == pytest.approx(2.7)
    assert float(camera.intrinsics[0, 0, 0]) == pytest.approx(2985.29 / 700)


@pytest.mark.parametrize("angle", [0.3, -0.3])
def test_a_head_turned_about_the_vertical_is_a_camera_turned_likewise(angle):
    camera = camera_of_head_pose((0.0, angle, 0.0), (0.0, 0.0, 0.0))
    assert float(camera.yaw) == pytest.approx(-angle, abs=0.03)
    assert math.copysign(1, float(camera.yaw)) == -math.copysign(1, angle)


def test_distances_are_made_standard_about_the_origin_or_the_pivot():
    pose = (0.1, 0.4, 0.05), (0.1, -0.2, 0.3)
    pivot = torch.tensor([0.0, 0.0, 0.175])
    orig, cor, simple = (
        camera_of_head_pose(*pose, mode=mode) for mode in ("orig", "cor", "simplify")
    )
    assert float(orig.positions.norm()) == pytest.approx(2.7, abs=1e-5)
    assert float((cor.positions - pivot).norm()) == pytest.approx(2.7, abs=1e-5)
    torch.testing.assert_close(cor.positions, simple.positions)
    # Turned upright: no roll, and the pivot in the image centre.
    assert float(simple.cam2world[0, 1, 0]) == pytest.approx(0.0, abs=1e-6)
    towards = (pivot - simple.positions) / 2.7
    torch.testing.assert_close(simple.forward, towards, atol=1e-5, rtol=0)
