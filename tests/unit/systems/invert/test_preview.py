from __future__ import annotations

import pytest
import torch
from toy_portraits import tiny_generator, tiny_superresolved_config

from triptych.camera import look_at_camera
from triptych.portrait.fast_renderer import FastRenderer
from triptych.render.occupancy import everywhere
from triptych.render.rays import camera_rays
from triptych.systems.invert.restyle import preview_image

CAMERA = look_at_camera(0.3, 0.1)


def codes(generator) -> torch.Tensor:
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    return generator.mapping(z)


@pytest.mark.parametrize("upsampled", [False, True])
def test_a_single_look_shows_what_the_generator_shows(upsampled):
    generator = tiny_generator(tiny_superresolved_config() if upsampled else None)
    ws = codes(generator)
    expected = generator.synthesis(ws, CAMERA).image
    assert torch.equal(preview_image(generator, ws, CAMERA, path="exact"), expected)
    seen = preview_image(generator, ws, CAMERA, path="fast-float32")
    torch.testing.assert_close(seen, expected, rtol=0, atol=2e-3)


def test_the_number_of_rays_can_be_chosen():
    generator = tiny_generator()
    ws = codes(generator)
    seen = preview_image(generator, ws, CAMERA, render_size=24)
    expected = generator.render(generator.planes(ws), ws, CAMERA, render_size=24).image
    torch.testing.assert_close(seen, expected, rtol=0, atol=2e-3)


def test_noise_is_drawn_as_the_generator_draws_it():
    config = tiny_superresolved_config()
    generator = tiny_generator(config)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.5)
    ws = codes(generator)
    rng = torch.Generator().manual_seed(5)
    planes = generator.planes(ws, noise_mode="random", generator=rng)
    expected = generator.render(planes, ws, CAMERA).image
    rng = torch.Generator().manual_seed(5)
    seen = preview_image(generator, ws, CAMERA, noise_mode="random", rng=rng, path="fast-float32")
    torch.testing.assert_close(seen, expected, rtol=0, atol=2e-3)


def test_empty_space_is_looked_for_only_where_that_pays():
    generator = tiny_generator()
    ws = codes(generator)
    field = generator.field(generator.planes(ws))
    few, many = camera_rays(CAMERA, 16), camera_rays(CAMERA, 140)
    for rays, pays in ((few, False), (many, True)):
        renderer = FastRenderer(field, generator.config.rendering, ws, None)
        once = renderer.cast(rays, only_once=True)
        assert ("occupancy" in renderer.__dict__) == pays
        torch.testing.assert_close(once.features, renderer.cast(rays).features, rtol=0, atol=2e-3)


def test_a_grid_of_matter_everywhere_marks_every_point():
    grid = everywhere(1.5)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) * 8 - 4
    assert grid.occupied[grid.cells(points)].all()
    assert grid.nearby[grid.cells(points)].all()
    assert grid.occupancy == 1.0
