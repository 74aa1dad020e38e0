"""A portrait that is no tri-planes goes through pictures, video, mesh and file as any other."""

from __future__ import annotations

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
import trimesh
from two_balls import (
    LEFT,
    LEFT_COLOUR,
    RIGHT,
    RIGHT_COLOUR,
    RIGHT_RADIUS,
    TwoBallsPortrait,
)

from triptych.errors import UserError
from triptych.export.mesh import portrait_mesh, save_mesh
from triptych.export.pictures import depth_picture, normal_picture, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.export.video import save_turntable
from triptych.portrait import Portrait, TriPlanePortrait
from triptych.weights.safetensors_file import FileHeader, save_tensors

FOCAL = 4.2647


@pytest.fixture(params=["density", "sdf"])
def balls(request) -> TwoBallsPortrait:
    return TwoBallsPortrait(request.param, provenance={"made": "by hand"})


def pixel_of(point: tuple[float, float, float], size: int = 64) -> tuple[int, int]:
    """Return row and column where the frontal camera sees a point."""
    scale = FOCAL / (2.7 - point[2]) * size
    return round(size / 2 - 0.5 - point[1] * scale), round(size / 2 - 0.5 + point[0] * scale)


def test_pictures_show_both_balls_and_their_regions(balls):
    view = balls.render()
    assert view.path == "exact"
    assert view.regions.shape == (1, 2, 64, 64)
    for index, (centre, colour) in enumerate([(LEFT, LEFT_COLOUR), (RIGHT, RIGHT_COLOUR)]):
        row, column = pixel_of(centre)
        expected = torch.tensor(colour) * 2 - 1
        torch.testing.assert_close(view.image[0, :, row, column], expected, rtol=0, atol=2e-3)
        assert float(view.regions[0, index, row, column]) == pytest.approx(1.0, abs=2e-3)
        assert float(view.regions[0, 1 - index, row, column]) == pytest.approx(0.0, abs=2e-3)
    torch.testing.assert_close(view.regions.sum(1, keepdim=True), view.alpha, rtol=0, atol=1e-5)
    assert view.image[0, :, 0, 0].tolist() == pytest.approx([0.5] * 3, abs=1e-4)


def test_regions_stay_with_their_views(balls):
    camera = balls.orbit(torch.tensor([0.0, 0.8, 1.6]))
    views = balls.render(camera, 32)
    assert views.regions.shape == (3, 2, 32, 32)
    assert torch.equal(views[1].regions, views.regions[1:2])
    assert torch.equal(views.to("cpu").regions, views.regions)
    torch.testing.assert_close(balls.render(camera[1], 32).regions, views[1].regions)
    assert views.resized(20).regions.shape == (3, 2, 20, 20)
    fine = balls.render(camera[0], 64)
    averaged = balls.render(camera[0], 32, supersampling=2)
    expected = torch.nn.functional.avg_pool2d(fine.regions, 2)
    torch.testing.assert_close(averaged.regions, expected, rtol=0, atol=1e-6)


def test_large_pictures_are_rendered_view_by_view_with_their_regions(balls, monkeypatch):
    cameras = balls.orbit(torch.tensor([0.0, 0.3]))
    together = balls.render(cameras, 24)
    monkeypatch.setattr("triptych.portrait.portrait._RAYS_AT_ONCE", 24 * 24)
    views = balls.render(cameras, 24)
    assert views.regions.shape == (2, 2, 24, 24)
    torch.testing.assert_close(views.regions, together.regions, rtol=0, atol=1e-6)


def test_the_mesh_is_the_larger_ball_in_its_colour(balls, tmp_path):
    save_mesh(tmp_path / "balls.glb", portrait_mesh(balls, resolution=48))
    loaded = trimesh.load(tmp_path / "balls.glb", force="mesh", skip_materials=True)
    assert loaded.is_watertight
    radius = np.linalg.norm(loaded.vertices - np.array(RIGHT), axis=1)
    assert np.abs(radius - RIGHT_RADIUS).max() < 0.01
    linear = np.array([0.0, 0.214, 1.0]) * 255
    assert np.abs(loaded.visual.vertex_colors[:, :3] - linear).max() <= 2


def test_the_geometry_grid_grows_inwards(balls):
    grid, level = balls.geometry_grid(21), balls.surface_level()
    assert float(grid[13, 10, 11]) > level > float(grid[0, 0, 0])
    if balls.geometry_kind == "sdf":
        assert float(grid[13, 10, 11]) == pytest.approx(RIGHT_RADIUS, abs=1e-6)


def test_sheets_videos_depth_and_normals(balls, tmp_path):
    camera = balls.orbit(torch.tensor([-0.4, 0.4]))
    sheet = picture_sheet([view_pictures(balls, camera, 32)])
    assert sheet.shape == (4 + 36, 4 + 2 * 36, 3)
    view = balls.render(camera[0])
    assert depth_picture(view).max() == 255
    assert normal_picture(view, camera[0])[..., 2].max() > 250
    save_turntable(tmp_path / "balls.mp4", balls, num_frames=3, size=32)
    with imageio.get_reader(tmp_path / "balls.mp4") as reader:
        assert [frame.shape for frame in reader] == [(32, 32, 3)] * 3


def test_a_file_opens_as_its_own_kind(balls, tmp_path):
    balls.save(tmp_path / "balls.safetensors")
    again = Portrait.load(tmp_path / "balls.safetensors")
    assert isinstance(again, TwoBallsPortrait)
    assert again.provenance == {"made": "by hand"}
    assert torch.equal(again.render(size=16).image, balls.render(size=16).image)
    with pytest.raises(UserError, match="holds a TwoBallsPortrait; expected a TriPlanePortrait"):
        TriPlanePortrait.load(tmp_path / "balls.safetensors")


def test_unknown_kinds_are_named_with_what_is_known(tmp_path):
    save_tensors(tmp_path / "a", {"x": torch.zeros(1)}, FileHeader("HologramPortrait", {}))
    said = (
        "holds a HologramPortrait; expected a portrait .*TriPlanePortrait.*TwoBallsPortrait.*"
        "upgrade triptych"
    )
    with pytest.raises(UserError, match=said) as refused:
        Portrait.load(tmp_path / "a")
    assert "\n" not in str(refused.value)


def test_newer_files_say_so(tmp_path):
    header = FileHeader("TwoBallsPortrait", {}, format_version=7)
    save_tensors(tmp_path / "a", {"x": torch.zeros(1)}, header)
    with pytest.raises(UserError, match="newer triptych .format 7.*upgrade triptych"):
        Portrait.load(tmp_path / "a")


def test_portraits_saved_under_the_first_name_open(toy_portrait, tmp_path):
    from triptych.portrait.triplane_codec import CODEC

    tensors, config = CODEC.encode(toy_portrait, exact=True)
    save_tensors(tmp_path / "old", tensors, FileHeader("Portrait", config))
    old = Portrait.load(tmp_path / "old")
    assert torch.equal(old.render(size=16).image, toy_portrait.render(size=16).image)


def test_a_kind_without_a_codec_cannot_be_saved(tmp_path):
    class Unknown(TwoBallsPortrait):
        pass

    with pytest.raises(UserError, match="no codec for portraits of kind Unknown; known are"):
        Unknown().save(tmp_path / "a")
