"""3DPE's renderer: cameras, rays, the field, volume rendering and super-resolution."""

from __future__ import annotations

import csv

import pytest
import torch
from edit_numbers import RENDERED, STAGE, UPSAMPLED, SmallEdit, check_stage

from triptych.camera import Camera, eg3d_look_at, focal_from_fov_deg
from triptych.render.rays import camera_rays
from triptych.render.renderer import Draws
from triptych.systems.edit.network import StyleFreeRenderer, published_rendering
from triptych.weights.tensor_fit import shapes_of


@pytest.fixture(scope="module")
def small(shared) -> SmallEdit:
    return SmallEdit(shared / "fixtures" / "3dpe_small")


@pytest.fixture(scope="module")
def network(small):
    return small.network()


@pytest.fixture(scope="module")
def camera(small) -> Camera:
    return Camera.from_label25(small.numbers["render.camera"])


@pytest.fixture(scope="module")
def planes(small):
    return small.numbers["render.planes"].unflatten(1, (3, -1))


def test_published_names_and_shapes(shared):
    with open(shared / "reference" / "3dpe_state_dict.tsv", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file, delimiter="\t")
            if row["checkpoint_section"] == "renderer_state_dict"
        ]
    listed = {
        row["key"]: tuple(int(size) for size in row["shape"].split("x") if size.isdigit())
        for row in rows
    }
    rng = torch.Generator()
    assert shapes_of(lambda: StyleFreeRenderer(published_rendering(), rng)) == listed


def test_cameras(small, camera):
    view = small.rendering.view
    for index, (pitch, yaw, fov, x, y) in enumerate(
        small.numbers["camera.pitch_yaw_fov_cx_cy"].tolist()
    ):
        focal = focal_from_fov_deg(fov)
        made = eg3d_look_at(yaw, pitch, view.radius, view.target, focal)
        found = camera[index].label25()[0]
        assert torch.allclose(found[:16], made.label25()[0, :16], atol=2e-6)
        expected = torch.tensor([[focal, 0, x], [0, focal, y], [0, 0, 1]])
        assert torch.allclose(found[16:].reshape(3, 3), expected, atol=2e-6)


def test_rays(small, camera):
    rays = camera_rays(camera, small.rendering.render_size)
    check_stage(rays.origins.expand_as(rays.directions), small, "render.ray_origins")
    check_stage(rays.directions, small, "render.ray_directions")


@torch.no_grad()
def test_the_field(small, network, planes):
    reader = network.plane_renderer
    sample = reader.field(planes).query(small.numbers["render.points"])
    check_stage(sample.features, small, "render.points_rgb")
    check_stage(sample.geometry, small, "render.points_sigma")


@torch.no_grad()
def test_pictures(small, network, camera, planes):
    coarse = small.numbers["render.u_coarse"][..., 0]
    draws = Draws(coarse, small.numbers["render.u_fine"].reshape(*coarse.shape[:2], -1))
    rendering = network.render(planes, camera, draws=draws)
    check_stage(rendering.features, small, "render.feature_image", RENDERED)
    check_stage(rendering.image_raw, small, "render.image_raw", RENDERED)
    check_stage(rendering.depth, small, "render.image_depth", STAGE)
    check_stage(rendering.image, small, "render.image", UPSAMPLED)
