"""Parts of heads, rendered and cut out of the same place."""

from __future__ import annotations

import pytest
import torch
from toy_portraits import tiny_generator, tiny_superresolved_config

from triptych.camera import look_at_camera
from triptych.ops.resize import fit_size
from triptych.training.head_views import HeadViews, ViewSettings

CAMERA = look_at_camera(torch.tensor([0.2, -0.3]), 0.1)
SETTINGS = ViewSettings(patch=8, strides=(1, 2), whole_size=16, coarse=32, fine=32)


@pytest.fixture(scope="module")
def heads(toy_generator):
    z = torch.randn(2, toy_generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    ws = toy_generator.mapping(z)
    planes = toy_generator.planes(ws)
    return ws, planes, toy_generator.render(planes, ws, CAMERA).image


def test_parts_of_a_heads_own_picture_agree(toy_generator, heads):
    ws, planes, picture = heads
    views = HeadViews(toy_generator, SETTINGS)
    draw = views.draw(2, False, torch.Generator().manual_seed(0))
    pair = views.pair(planes, ws, CAMERA, picture, draw)
    assert pair.pred.shape == pair.true.shape == (2, 3, 8, 8)
    assert not pair.whole
    assert float((pair.pred - pair.true).abs().mean()) < 0.02
    other = views.pair(planes.flip(0), ws, CAMERA, picture, draw)
    assert float((other.pred - other.true).abs().mean()) > 0.02


def test_whole_heads_are_small_and_whole(toy_generator, heads):
    ws, planes, picture = heads
    views = HeadViews(toy_generator, SETTINGS)
    pair = views.pair(planes, ws, CAMERA, picture, views.draw(2, True, torch.Generator()))
    assert pair.whole
    assert torch.equal(pair.true, fit_size(picture, 16))
    assert float((pair.pred - pair.true).abs().mean()) < 0.1


def test_a_part_is_cut_where_its_rays_go(toy_generator):
    views = HeadViews(toy_generator, SETTINGS)
    draw = views.draw(2, False, torch.Generator().manual_seed(1))
    numbers = torch.arange(32.0 * 32).view(1, 1, 32, 32).expand(2, 1, -1, -1)
    cut = views.cut(numbers, draw)
    assert torch.equal(cut.flatten(1).long(), draw.pixels)


def test_a_glimpse_is_the_head_without_gradients(toy_generator, heads):
    ws, planes, picture = heads
    views = HeadViews(toy_generator, SETTINGS)
    seen = views.preview(planes.clone().requires_grad_(True), ws, CAMERA, 32)
    assert not seen.requires_grad
    assert float((seen - picture).abs().mean()) < 0.02
    assert views.preview(planes, ws, CAMERA, None).shape == picture.shape


def test_gradients_reach_the_planes(toy_generator, heads):
    ws, planes, picture = heads
    views = HeadViews(toy_generator, SETTINGS)
    planes = planes.clone().requires_grad_(True)
    draw = views.draw(2, False, torch.Generator().manual_seed(0))
    views.pair(planes, ws, CAMERA, picture, draw).pred.sum().backward()
    assert float(planes.grad.abs().sum()) > 0


def test_processes_share_a_draw(toy_generator):
    views = HeadViews(toy_generator, SETTINGS)
    draw = views.draw(4, False, torch.Generator().manual_seed(0))
    shares = [draw.share(process, 2) for process in range(2)]
    assert torch.equal(torch.cat([share.pixels for share in shares]), draw.pixels[[0, 2, 1, 3]])
    assert torch.equal(shares[1].jitter, draw.jitter[1::2])
    assert torch.equal(shares[1].uniform, draw.uniform[1::2])


def test_generators_that_enlarge_are_rendered_whole():
    generator = tiny_generator(tiny_superresolved_config())
    views = HeadViews(generator, SETTINGS)
    z = torch.randn(2, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    ws = generator.mapping(z)
    planes = generator.planes(ws)
    picture = generator.render(planes, ws, CAMERA).image
    draw = views.draw(2, False, torch.Generator().manual_seed(0))
    pair = views.pair(planes, ws, CAMERA, picture, draw)
    assert pair.whole
    fitted = generator.render(planes, ws, CAMERA, modulation="activations").image
    assert torch.equal(pair.pred, fitted)
    torch.testing.assert_close(pair.pred, picture, atol=1e-4, rtol=1e-4)
    assert views.cut(picture, draw) is picture
    assert torch.equal(views.preview(planes, ws, CAMERA, None), picture)
