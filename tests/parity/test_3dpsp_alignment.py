"""EG3D's crop and camera label, as 3DpSp prepares photos, equal the reference numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from psp_numbers import read_numbers

from triptych.camera import Camera
from triptych.photos.deep3d_camera import camera_of_head_pose, unnormalised_camera
from triptych.photos.five_point_crop import STANDARD_POINTS, place_face, plan_crop


@pytest.fixture(scope="module")
def crops(shared):
    return read_numbers(shared, "align_5pt")


@pytest.fixture(scope="module")
def labels(shared):
    return read_numbers(shared, "camera_label")


def test_standard_face(crops):
    assert np.abs(crops["in/lm3d5"] - STANDARD_POINTS).max() < 1e-8


def test_faces_are_placed_and_crops_planned(crops):
    width, height = crops["in/image_size_wh"].tolist()
    for index, points in enumerate(crops["in/lm5_image_xy_ydown"]):
        face, plan = place_face(points, height), plan_crop(points, width, height)
        assert face.centre == pytest.approx(crops["out/t_yup"][index].tolist(), abs=1e-6)
        assert plan.upsample == pytest.approx(crops["out/scale_300"][index], abs=1e-7)
        expected = crops["out/resize_w_h_left_up_1024"][index].tolist()
        assert [plan.width, plan.height, plan.left, plan.top] == expected


@pytest.mark.parametrize("mode", ["orig", "cor", "simplify"])
def test_camera_of_a_head_pose(labels, mode):
    for angle, trans, expected in zip(
        labels["in/angle"], labels["in/trans"], labels[f"out/pose_{mode}"], strict=True
    ):
        camera = camera_of_head_pose(angle.tolist(), trans.tolist(), mode=mode)
        assert np.abs(camera.cam2world[0].numpy() - expected).max() < 1e-6
        assert np.abs(camera.intrinsics[0].numpy() - labels["out/intrinsics_fixed"]).max() < 1e-6


def test_camera_before_its_distance_is_made_standard(labels):
    for angle, trans, expected in zip(
        labels["in/angle"], labels["in/trans"], labels["out/pose_raw"], strict=True
    ):
        made = unnormalised_camera(angle.tolist(), trans.tolist())
        assert np.abs(made.numpy() - expected).max() < 1e-12


def test_mirrored_label(labels):
    intrinsics = torch.from_numpy(labels["out/intrinsics_fixed"]).float().expand(4, -1, -1)
    camera = Camera(torch.from_numpy(labels["out/pose_orig"]).float(), intrinsics)
    mirrored = camera.mirrored()
    expected = torch.from_numpy(labels["out/pose_orig_flipped"]).float()
    torch.testing.assert_close(mirrored.cam2world, expected)
    torch.testing.assert_close(mirrored.intrinsics, intrinsics)
