"""Splats: rendered by hand and by both rasterisers, fitted to portraits of every kind."""

from __future__ import annotations

import math

import pytest
import torch
from two_balls import TwoBallsPortrait

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.export.splats.compositing import composite
from triptych.export.splats.fast_compositing import composite_fast
from triptych.export.splats.fitting import fit_splats, over_nothing
from triptych.export.splats.projection import LOW_PASS, flatten
from triptych.export.splats.splats import CONSTANT_HARMONIC, Splats
from triptych.export.splats.surface_splats import quaternions_to
from triptych.metrics.image_metrics import psnr
from triptych.portrait import Portrait, View

SIZE = 33
FRONT = look_at_camera(0.0, 0.0, target=(0.0, 0.0, 0.0))
LOOKS = torch.tensor([0.0, 0.5, -0.4, 0.9, 2.8]), torch.tensor([0.0, 0.1, -0.3, 0.3, 0.0])


def some_splats(places, scales, opacities, colours) -> Splats:
    """Return round splats without rotation."""
    number = len(places)
    return Splats(
        torch.tensor(places),
        torch.tensor(scales).log()[:, None].repeat(1, 3),
        torch.tensor([1.0, 0, 0, 0]).repeat(number, 1),
        torch.tensor(opacities).logit(),
        (torch.tensor(colours) - 0.5) / CONSTANT_HARMONIC,
    )


def random_parameters(number: int = 60) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws)

    places = torch.rand(number, 3, generator=draws) * 0.6 - 0.3
    scales, turns = normal(number, 3) / 2 - 3, normal(number, 4)
    return [places, scales, turns, normal(number) * 3, normal(number, 3)]


def test_a_round_splat_on_the_axis_is_a_circle_of_known_width():
    flat = flatten(some_splats([[0.0, 0, 0]], [0.05], [0.8], [[1.0, 0, 0]]), FRONT, SIZE)
    width = 4.2647 * SIZE * 0.05 / 2.7
    assert flat.means[0].tolist() == pytest.approx([SIZE / 2, SIZE / 2], abs=1e-4)
    expected = [width**2 + LOW_PASS, 0, width**2 + LOW_PASS]
    assert flat.variances[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_a_long_splat_lies_as_its_quaternion_says():
    splats = some_splats([[0.0, 0, 0]], [0.02], [0.8], [[1.0, 0, 0]])
    turn = math.pi / 8  # half the angle: x turns by 45 degrees towards y, which is up
    turned = torch.tensor([[math.cos(turn), 0, 0, math.sin(turn)]]) * 3
    scales = torch.tensor([[0.1, 0.01, 0.01]]).log()
    flat = flatten(
        Splats(splats.positions, scales, turned, splats.opacity_logits, splats.coefficients),
        FRONT,
        SIZE,
    )
    xx, xy, yy = flat.variances[0].tolist()
    assert xx == pytest.approx(yy)
    assert xy == pytest.approx(-((4.2647 * SIZE / 2.7) ** 2) * (0.1**2 - 0.01**2) / 2, rel=1e-4)


@pytest.mark.parametrize("render", [composite, composite_fast])
def test_the_nearer_splat_hides_the_farther(render):
    near_last = [[0.0, 0, -0.2], [0.0, 0, 0.2]], [0.3, 0.3], [0.5, 0.75]
    splats = some_splats(*near_last, [[0.0, 1, 0], [1.0, 0, 0]])
    picture = render(flatten(splats, FRONT, SIZE), SIZE)
    middle = picture[:, SIZE // 2, SIZE // 2]
    assert middle.tolist() == pytest.approx([0.75, 0.25 * 0.5, 0, 0.75 + 0.125], abs=1e-5)


@pytest.mark.parametrize("render", [composite, composite_fast])
def test_what_is_behind_the_camera_or_too_faint_is_not_seen(render):
    places, colours = [[0.0, 0, 5], [0.0, 0, 0]], [[1.0, 1, 1], [1.0, 1, 1]]
    splats = some_splats(places, [0.3, 0.3], [0.9, 0.003], colours)
    assert float(render(flatten(splats, FRONT, SIZE), SIZE).abs().max()) == 0


def test_the_compiled_rasteriser_is_the_readable_one():
    camera = look_at_camera(0.4, 0.2)
    weight = torch.randn(4, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    found = []
    for render in (composite, composite_fast):
        parameters = [value.requires_grad_() for value in random_parameters()]
        picture = render(flatten(Splats(*parameters), camera, SIZE), SIZE)
        (picture * weight).sum().backward()
        found.append([picture.detach(), *(value.grad for value in parameters)])
    assert float(found[0][0][3].max()) > 0.99  # so that light runs out somewhere
    for exact, fast in zip(*found, strict=True):
        assert float((exact - fast).abs().max()) < 1e-5 * max(1.0, float(exact.abs().max()))


def test_discs_face_where_the_surface_does():
    normals = torch.tensor([[0.0, 0, 1], [0, 0, -1], [1, 0, 0], [0.6, 0, 0.8], [0, -1, 0]])
    flat = torch.tensor([1.0, 1, 1e-3]).log().repeat(5, 1)
    discs = Splats(normals, flat, quaternions_to(normals), torch.zeros(5), normals)
    thickness = (normals[:, None] @ discs.covariances() @ normals[:, :, None]).flatten()
    assert torch.allclose(thickness, torch.full((5,), 1e-6), atol=1e-6)


def test_colours_of_half_transparent_pixels_lose_the_background():
    image = torch.tensor([0.2, 0.5, 0.5]).view(1, 3, 1, 1)  # over 0.5: half of -0.1, 0.5 and 0.5
    alpha = torch.full((1, 1, 1, 1), 0.5)
    found = over_nothing(View(image, image, alpha, alpha), 0.5).flatten()
    assert found.tolist() == pytest.approx([0.225, 0.375, 0.375, 0.5])


def worst_psnr(portrait: Portrait, splats: Splats, size: int, render) -> float:
    """Return the least PSNR of five views over the portrait's background."""
    cameras, background = portrait.orbit(*LOOKS), portrait.rendering.background
    found = []
    for index in range(len(cameras)):
        picture = render(flatten(splats, cameras[index], size), size)
        image = picture[:3] * 2 - picture[3:] + (1 - picture[3:]) * background
        found.append(float(psnr(image[None], portrait.render(cameras[index], size).image)))
    return min(found)


def test_splats_of_a_ball_look_like_it_at_twice_the_size_of_its_renders(ball):
    fitted = fit_splats(ball, resolution=32, steps=20, size=32)
    found = worst_psnr(ball, fitted, 64, composite_fast)
    assert found > 26
    start = fit_splats(ball, resolution=32, steps=0)
    assert worst_psnr(ball, start, 64, composite_fast) < found - 2
    seen = composite_fast(flatten(fitted, FRONT, 128), 128)[3]
    solid = ball.render(FRONT, 128).alpha[0, 0] > 0.999
    assert float(seen[solid].mean()) > 0.99  # no gaps open between splats seen larger


def test_every_part_of_a_portrait_of_any_kind_has_splats():
    balls = TwoBallsPortrait("sdf")
    splats = fit_splats(balls, resolution=32, steps=20, size=32)
    assert float(splats.positions[:, 0].min()) < -0.25  # the smaller ball is no speck
    assert worst_psnr(balls, splats, 64, composite_fast) > 26


def test_a_fit_tells_how_far_it_is_and_is_always_the_same(ball):
    heard = []

    def told(*words):
        heard.append(words)

    first = fit_splats(ball, resolution=16, steps=2, size=16, progress=told)
    assert heard[0] == ("rendering for splats", 0, 29)
    assert heard[-1] == ("fitting splats", 2, 2)
    again = fit_splats(ball, resolution=16, steps=2, size=16)
    assert torch.equal(first.positions, again.positions)


@pytest.mark.parametrize("wrong", [{"resolution": 8}, {"steps": -1}, {"size": 8}])
def test_numbers_out_of_range_are_refused(ball, wrong):
    with pytest.raises(UserError, match=r"splat(s| resolution| steps): got"):
        fit_splats(ball, **wrong)


@pytest.mark.slow
def test_splats_of_an_avatar_are_within_26_db():
    from triptych.systems.generate.pipeline import GeneratePipeline

    portrait = GeneratePipeline.from_pretrained()(seed=7)
    assert worst_psnr(portrait, fit_splats(portrait), 256, composite_fast) > 26
