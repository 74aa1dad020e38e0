"""Views with cameras: the lists of other programs, and pictures without their background."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.export.pictures import colour_picture, transparent_picture
from triptych.export.view_set import save_view_set, view_set_angles
from triptych.photos.labelled_images import LabelledImages
from triptych.portrait import View

SIZE, VIEWS = 32, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ball):
    place = tmp_path_factory.mktemp("views")
    save_view_set(place, ball, num_views=VIEWS, size=SIZE)
    return place


def test_both_lists_name_the_same_cameras(folder, ball):
    listed = json.loads((folder / "transforms.json").read_text())
    labelled = LabelledImages(folder)
    assert list(labelled.names) == [f"images/{index:05d}.png" for index in range(VIEWS)]
    assert [frame["file_path"] for frame in listed["frames"]] == list(labelled.names)
    assert (listed["w"], listed["cx"]) == (SIZE, SIZE / 2)
    assert listed["fl_x"] == pytest.approx(float(ball.camera.intrinsics[0, 0, 0]) * SIZE)
    for index, frame in enumerate(listed["frames"]):
        matrix = torch.tensor(frame["transform_matrix"])
        camera = labelled.camera[index]
        assert torch.allclose(matrix[:3, 3], camera.positions[0], atol=1e-5)
        # OpenGL looks along -z with y up; ours along z with y down
        assert torch.allclose(-matrix[:3, 2], camera.forward[0], atol=1e-5)
        assert float(matrix[1, 1]) > 0


def test_a_view_over_its_background_is_the_picture(folder, ball):
    camera = LabelledImages(folder).camera[0]
    assert float(camera.yaw) == pytest.approx(0, abs=1e-4)
    true = colour_picture(ball.render(camera, SIZE).image[0]).astype(float)
    layers = np.asarray(Image.open(folder / "images/00000.png")).astype(float)
    opacity, background = layers[..., 3:] / 255, (ball.rendering.background + 1) * 127.5
    assert 0.1 < opacity.mean() < 0.9
    assert np.abs(layers[..., :3] * opacity + background * (1 - opacity) - true).max() < 2


def test_colours_are_those_before_the_background():
    image = torch.full((1, 3, 2, 2), 0.4)  # 0.8 at half opacity over 0
    view = View(image, image, image[:, :1], torch.tensor([[[[0.5, 0.5], [1.0, 1.0]]]]))
    layers = transparent_picture(view, 0.0)
    assert layers[0, 0].tolist() == [230, 230, 230, 128]
    assert layers[1, 0].tolist() == [179, 179, 179, 255]
    clear = View(image, image, image[:, :1], torch.zeros(1, 1, 2, 2))
    assert transparent_picture(clear, 0.4)[..., 3].max() == 0


def test_views_are_spread_around_the_head():
    yaw, pitch = view_set_angles(60)
    assert (float(yaw[0]), float(pitch[0])) == (0, 0)
    assert float(pitch.abs().max()) == pytest.approx(math.radians(40), rel=0.03)
    quarters = torch.histc(yaw.float(), 4, -math.pi, math.pi)
    assert (quarters - 15).abs().max() <= 1
