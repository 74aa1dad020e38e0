"""Portraits: looking, saving, loading, and what they say about space."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from toy_portraits import (
    SPHERE_RADIUS,
    tiny_generator,
    tiny_portrait,
    tiny_superresolved_config,
)

from triptych.camera import frontal_camera, orbit
from triptych.errors import UserError
from triptych.portrait import Portrait, TriPlanePortrait
from triptych.weights import save_module


def test_a_portrait_looks_as_its_generator_does(toy_generator):
    z = torch.randn(1, toy_generator.config.z_dim, generator=torch.Generator().manual_seed(1))
    ws = toy_generator.mapping(z)
    portrait = TriPlanePortrait.from_generator(toy_generator, ws)
    camera = orbit(3)
    expected = toy_generator.synthesis(ws, camera)
    view = portrait.render(camera, path="exact")
    torch.testing.assert_close(view.image, expected.image, rtol=0, atol=1e-5)
    torch.testing.assert_close(view.depth, expected.depth, rtol=0, atol=1e-5)
    torch.testing.assert_close(view.alpha, expected.alpha, rtol=0, atol=1e-5)
    assert view.regions is None


def test_the_fast_path_shows_what_the_exact_one_shows(ball):
    camera = orbit(2)
    fast, exact = ball.render(camera), ball.render(camera, path="exact")
    assert ball.occupancy.occupancy < 0.5
    torch.testing.assert_close(fast.image, exact.image, rtol=0, atol=1e-3)
    torch.testing.assert_close(fast.alpha, exact.alpha, rtol=0, atol=1e-3)


def test_views_do_not_depend_on_what_is_rendered_with_them(toy_portrait):
    camera = orbit(5)
    together = toy_portrait.render(camera)
    alone = toy_portrait.render(camera[3])
    torch.testing.assert_close(together[3].image, alone.image, rtol=0, atol=1e-6)
    assert torch.equal(toy_portrait.render(camera).image, together.image)


def test_the_ball_has_its_size_and_colours(ball):
    view = ball.render(size=64)
    centre = view.depth[0, 0, 31:33, 31:33].mean()
    assert float(centre) == pytest.approx(2.7 - SPHERE_RADIUS, abs=0.02)
    assert float(view.alpha[0, 0, 32, 32]) == pytest.approx(1.0, abs=1e-3)
    assert float(view.alpha[0, 0, 0, 0]) == pytest.approx(0.0, abs=1e-3)
    assert view.image[0, :, 0, 0].tolist() == pytest.approx([0.5] * 3, abs=1e-3)
    right, left = view.image[0, :, 32, 50], view.image[0, :, 32, 14]
    assert right.tolist() == pytest.approx([1.0, 0.0, -0.5], abs=0.02)
    assert left.tolist() == pytest.approx([-1.0, 0.0, -0.5], abs=0.02)
    silhouette = float(view.alpha.sum()) / 64**2
    apparent = 4.2647 * SPHERE_RADIUS / math.sqrt(2.7**2 - SPHERE_RADIUS**2)
    assert silhouette == pytest.approx(math.pi * apparent**2, rel=0.05)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_pictures_have_the_size_asked_for(toy_portrait, size):
    view = toy_portrait.render(size=size)
    assert view.image.shape == (1, 3, size, size)
    assert view.depth.shape == view.alpha.shape == (1, 1, size, size)


def test_supersampling_averages_a_finer_picture(toy_portrait):
    fine = toy_portrait.render(size=64)
    averaged = toy_portrait.render(size=32, supersampling=2)
    expected = torch.nn.functional.avg_pool2d(fine.image, 2)
    torch.testing.assert_close(averaged.image, expected, rtol=0, atol=1e-5)
    assert averaged.depth.shape == (1, 1, 32, 32)


def test_superresolved_portraits_keep_their_ray_size():
    portrait = tiny_portrait(tiny_superresolved_config())
    view = portrait.render(orbit(2))
    assert view.image.shape == (2, 3, 128, 128)
    assert view.image_raw.shape == (2, 3, 16, 16)
    assert view.depth.shape == (2, 1, 16, 16)
    small = portrait.render(orbit(2), 40)
    assert small.image.shape == (2, 3, 40, 40)


def test_a_portrait_is_of_one_head(toy_generator):
    ws = toy_generator.mapping(torch.zeros(2, toy_generator.config.z_dim))
    with pytest.raises(UserError, match="of one head: got 2"):
        TriPlanePortrait.from_generator(toy_generator, ws)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"planes": torch.zeros(3, 8, 16, 16)}, "planes: got torch.float32 .3, 8, 16, 16."),
        ({"planes": torch.zeros(1, 3, 1, 16, 16)}, "expected floats .1, 3, .*, h, w."),
        ({"ws": torch.zeros(1, 16)}, "ws: got torch.float32 .1, 16.; expected floats .1, k, d."),
        ({"ws": torch.zeros(1, 4, 16).long()}, "ws: got torch.int64"),
    ],
)
def test_a_portrait_put_together_by_hand_is_checked(toy_portrait, change, complaint):
    with pytest.raises(UserError, match=complaint):
        dataclasses.replace(toy_portrait, **change)


def test_later_training_does_not_change_a_portrait():
    generator = tiny_generator()
    ws = generator.mapping(torch.zeros(1, generator.config.z_dim))
    portrait = TriPlanePortrait.from_generator(generator, ws)
    before = portrait.render().image
    with torch.no_grad():
        generator.decoder.net[0].weight.add_(1.0)
    assert torch.equal(portrait.render().image, before)


@pytest.mark.parametrize("superresolved", [False, True])
def test_an_exact_file_gives_the_same_pictures(tmp_path, superresolved):
    config = tiny_superresolved_config() if superresolved else None
    portrait = tiny_portrait(config)
    portrait.save(tmp_path / "p.safetensors", exact=True)
    loaded = Portrait.load(tmp_path / "p.safetensors")
    assert torch.equal(loaded.render(orbit(2)).image, portrait.render(orbit(2)).image)
    assert loaded.config == portrait.config
    assert loaded.provenance == {"made": "for a test"}
    assert torch.equal(loaded.camera.cam2world, portrait.camera.cam2world)
    assert torch.equal(loaded.ws, portrait.ws)


def test_a_half_precision_file_is_smaller_and_looks_the_same(tmp_path, ball):
    ball.save(tmp_path / "half.safetensors")
    ball.save(tmp_path / "exact.safetensors", exact=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "exact")]
    assert sizes[0] < 0.6 * sizes[1]
    loaded = Portrait.load(tmp_path / "half.safetensors")
    error = (loaded.render().image - ball.render().image).abs()
    assert float(error.mean()) < 2e-3


def test_files_that_are_no_portraits_are_named(tmp_path, toy_generator):
    save_module(tmp_path / "generator.safetensors", toy_generator)
    with pytest.raises(UserError, match="holds a TriPlaneGenerator; expected a portrait"):
        Portrait.load(tmp_path / "generator.safetensors")
    with pytest.raises(UserError, match="cannot read"):
        Portrait.load(tmp_path / "absent.safetensors")


def test_a_portrait_with_wrong_planes_is_refused(tmp_path, toy_portrait):
    wrong = dataclasses.replace(toy_portrait, planes=toy_portrait.planes[..., :-1])
    wrong.save(tmp_path / "p.safetensors")
    with pytest.raises(UserError, match="1 misshapen: planes is"):
        Portrait.load(tmp_path / "p.safetensors")


def test_new_planes_are_looked_at_afresh(ball):
    ball.render(size=16)
    empty = dataclasses.replace(ball, planes=torch.zeros_like(ball.planes))
    assert float(empty.render(size=16).alpha.max()) < 1e-3


def test_views_are_indexed_like_lists(toy_portrait):
    view = toy_portrait.render(orbit(3), 16)
    assert len(view) == 3
    assert [len(one) for one in view] == [1, 1, 1]
    assert torch.equal(view[-1].depth, view.depth[2:])
    assert len(view[1:]) == 2
    with pytest.raises(IndexError):
        view[3]
    assert view.to("cpu").image.device.type == "cpu"


def test_the_geometry_grid_is_indexed_x_y_z(ball):
    grid = ball.geometry_grid(33)
    inside = grid > 1.0
    x, y, z = torch.meshgrid(*[torch.linspace(-0.5, 0.5, 33)] * 3, indexing="ij")
    radius = (x**2 + y**2 + z**2).sqrt()
    assert bool(inside[radius < 0.28].all())
    assert not bool(inside[(radius > 0.32) & (radius < 0.47)].any())
    lopsided = torch.rand(1, 3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    uneven = dataclasses.replace(ball, planes=lopsided)
    point = torch.tensor([[-0.25, 0.0, 0.5]])
    expected = uneven.field.query(point[None]).geometry[0, 0, 0]
    assert float(uneven.geometry_grid(5)[1, 2, 4]) == pytest.approx(float(expected), rel=1e-4)


def test_the_surface_level_is_reached_at_the_surface(ball):
    level = ball.surface_level()
    along_x = torch.linspace(0.0, 0.45, 451)
    points = torch.stack([along_x, torch.zeros(451), torch.zeros(451)], dim=1)
    density = ball.field.query(points[None]).geometry[0, :, 0]
    crossing = along_x[density > level].max()
    assert float(crossing) == pytest.approx(SPHERE_RADIUS, abs=0.01)


def test_emptiness_has_no_surface(ball):
    empty = dataclasses.replace(ball, planes=torch.zeros_like(ball.planes))
    with pytest.raises(UserError, match="no surface"):
        empty.surface_level()


def test_surface_colours_are_what_the_renderer_shows(ball):
    normals = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.2, 0.3], [-1.0, 0.1, 0.5]]), dim=1
    )
    colours = ball.colours(SPHERE_RADIUS * normals, normals)
    expected = torch.tensor([[1.0, 0.0, -0.5], [-1.0, 0.0, -0.5]])
    torch.testing.assert_close(colours, expected, rtol=0, atol=0.02)


def test_moving_to_a_device_keeps_everything(toy_portrait):
    moved = toy_portrait.to("cpu")
    assert torch.equal(moved.render(frontal_camera()).image, toy_portrait.render().image)


def test_pictures_for_people_have_twice_the_rays_up_to_256():
    small = tiny_portrait()
    assert (small.image_size, small.picture_size) == (32, 64)
    for own, shown in ((128, 256), (200, 256), (256, 256), (512, 512)):
        config = dataclasses.replace(small.config, image_size=own, render_size=own)
        assert dataclasses.replace(small, config=config).picture_size == shown
    upsampled = tiny_portrait(tiny_superresolved_config())
    assert upsampled.picture_size == upsampled.image_size == 128
    assert small.render().image.shape[-1] == small.image_size
