"""ReStyle: what is fed back, from where the mean portrait is seen, how often."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_portraits import tiny_generator

from triptych.camera import FOCAL, focal_from_fov_deg, look_at_camera
from triptych.errors import UserError
from triptych.ops.resize import fit_size
from triptych.systems.invert.encoder import PspConfig, PspEncoder, RestyleConfig
from triptych.systems.invert.restyle import GeneratorSynthesis, mean_picture, restyle

TINY = PspConfig(
    image_size=32,
    widths=(4, 4, 4, 4),
    units=(1, 1, 1, 1),
    head_width=4,
    heads=(1, 1, 0),
    w_dim=3,
    camera_code=2,
    restyle=RestyleConfig(num_steps=3),
)
TARGET_CAMERA = look_at_camera(torch.tensor([0.3, -0.2]), 0.1)


class Painter:
    """A stand-in generator: pictures of one colour, the first three numbers of the first code."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def __call__(self, ws, camera, noise_mode="const"):
        self.asked.append((camera, noise_mode))
        return ws[:, 0, :3, None, None].expand(-1, -1, 64, 64)


def encoder_with(**changes) -> PspEncoder:
    config = replace(TINY, restyle=replace(TINY.restyle, **changes))
    encoder = PspEncoder(config).eval()
    for head in encoder.styles:  # a new encoder takes no step
        torch.nn.init.normal_(head.linear.weight, generator=torch.Generator().manual_seed(7))
    encoder.set_latent_statistics(torch.full((2, 3), 0.25), torch.ones(2, 3))
    return encoder


def test_each_step_adds_to_the_one_before():
    encoder, synthesizer = encoder_with(), Painter()
    target = torch.rand(2, 3, 64, 64)
    steps = restyle(encoder, synthesizer, target, TARGET_CAMERA)
    small = fit_size(target, 32)
    ws = torch.full((2, 2, 3), 0.25)
    with torch.no_grad():
        for step in steps:
            seen = ws[:, 0, :, None, None].expand(-1, -1, 32, 32)
            ws = ws + encoder(small, seen, TARGET_CAMERA)
            torch.testing.assert_close(step.ws, ws)
            torch.testing.assert_close(step.image, ws[:, 0, :, None, None].expand(-1, -1, 64, 64))
    assert len(steps) == 3


def test_number_of_steps_can_be_chosen():
    encoder, target = encoder_with(), torch.rand(2, 3, 64, 64)
    five = restyle(encoder, Painter(), target, TARGET_CAMERA, num_steps=5)
    two = restyle(encoder, Painter(), target, TARGET_CAMERA, num_steps=2)
    assert len(five) == 5
    assert torch.equal(five[1].ws, two[1].ws)
    assert not five[0].ws.requires_grad


@pytest.mark.parametrize(("view", "yaw"), [("frontal", [0.0]), ("target", [0.3, -0.2])])
def test_mean_portrait_is_seen_from_the_front_or_as_the_target_is(view, yaw):
    synthesizer = Painter()
    restyle(encoder_with(mean_view=view), synthesizer, torch.rand(2, 3, 64, 64), TARGET_CAMERA)
    camera, _ = synthesizer.asked[0]
    assert camera.yaw.tolist() == pytest.approx(yaw, abs=1e-6)
    # All pictures after it are seen from the target's camera.
    assert all(
        camera.yaw.tolist() == pytest.approx([0.3, -0.2]) for camera, _ in synthesizer.asked[1:]
    )


@pytest.mark.parametrize("noise", ["random", "const"])
def test_noise_of_the_mean_portrait_alone_can_be_random(noise):
    synthesizer = Painter()
    restyle(encoder_with(mean_noise=noise), synthesizer, torch.rand(2, 3, 64, 64), TARGET_CAMERA)
    assert [mode for _, mode in synthesizer.asked] == [noise, "const", "const", "const"]


@pytest.mark.parametrize("focal", [focal_from_fov_deg(18.837), FOCAL])
def test_focal_length_of_the_frontal_camera(focal):
    synthesizer = Painter()
    mean_picture(encoder_with(mean_focal=focal), synthesizer, TARGET_CAMERA)
    assert float(synthesizer.asked[0][0].intrinsics[0, 0, 0]) == pytest.approx(focal, abs=1e-6)
    assert RestyleConfig().mean_focal == pytest.approx(4.26339, abs=1e-5)


def test_an_encoder_without_reconstruction_never_asks_for_the_mean_portrait():
    config = replace(
        TINY, image_channels=3, camera_code=0, restyle=replace(TINY.restyle, num_steps=1)
    )
    synthesizer = Painter()
    steps = restyle(PspEncoder(config).eval(), synthesizer, torch.rand(2, 3, 64, 64), TARGET_CAMERA)
    assert len(steps) == len(synthesizer.asked) == 1


def test_a_generator_is_a_synthesis(toy_generator):
    ws = torch.randn(1, toy_generator.num_ws, 16)
    camera = look_at_camera(0.2, 0.0)
    expected = toy_generator.synthesis(ws, camera, render_size=16).image
    assert torch.equal(GeneratorSynthesis(toy_generator, 16)(ws, camera), expected)


def test_random_noise_comes_from_a_fixed_seed():
    config = tiny_generator().config
    noisy = tiny_generator(replace(config, backbone=replace(config.backbone, use_noise=True)))
    for module in noisy.modules():
        if hasattr(module, "noise_strength"):
            module.noise_strength.fill_(1.0)
    synthesis, camera = GeneratorSynthesis(noisy), look_at_camera(0.0, 0.0)
    ws = torch.randn(1, noisy.num_ws, 16)
    first, again = (synthesis(ws, camera, noise_mode="random") for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, synthesis(ws, camera))


def test_mistakes_are_named():
    encoder, target = encoder_with(), torch.rand(2, 3, 64, 64)
    with pytest.raises(UserError, match="1 cameras for 2 pictures"):
        restyle(encoder, Painter(), target, TARGET_CAMERA[0])
    with pytest.raises(UserError, match="steps: got 0"):
        restyle(encoder, Painter(), target, TARGET_CAMERA, num_steps=0)
