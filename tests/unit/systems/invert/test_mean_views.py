"""The mean portrait as it is first shown, from near and far cameras."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from psp_training import encoder_config

from triptych.camera import frontal_camera, look_at_camera
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.restyle import GeneratorSynthesis, mean_picture
from triptych.systems.invert.training.slots import MeanViews
from triptych.training.head_views import HeadViews, ViewSettings


def views_of(generator, **changes):
    config = encoder_config(generator)
    encoder = PspEncoder(replace(config, restyle=replace(config.restyle, **changes)))
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    encoder.set_latent_statistics(generator.mapping(z)[0], torch.ones(generator.num_ws, 16))
    heads = HeadViews(generator, ViewSettings(coarse=32, fine=32))
    return encoder, MeanViews(encoder, heads)


def test_it_is_the_mean_portrait_from_the_targets_camera(toy_generator):
    encoder, shown = views_of(toy_generator)
    camera = look_at_camera(0.4, 0.1)
    exact = mean_picture(encoder, GeneratorSynthesis(toy_generator, 16), camera)[0]
    assert shown(camera).shape == (3, 32, 32)
    assert float((shown(camera) - exact).abs().mean()) < 0.03


def test_cameras_that_are_nearly_alike_share_a_picture(toy_generator):
    _, shown = views_of(toy_generator)
    assert shown(look_at_camera(0.0, 0.0)) is shown(look_at_camera(0.004, 0.0))
    assert shown(look_at_camera(0.0, 0.0)) is not shown(look_at_camera(0.4, 0.0))


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_as_published_it_is_always_seen_from_the_front(toy_generator, yaw):
    encoder, shown = views_of(toy_generator, mean_view="frontal", mean_noise="const")
    expected = mean_picture(encoder, GeneratorSynthesis(toy_generator, 16), frontal_camera())
    assert torch.equal(shown(look_at_camera(yaw, 0.0)), expected[0])
