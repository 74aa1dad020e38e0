"""The 3DpSp encoder: sizes, levels, variants, mistakes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from triptych.camera import frontal_camera, random_views
from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.invert.encoder import (
    PspConfig,
    PspEncoder,
    RestyleConfig,
    StyleHead,
    avatar_config,
    official_config,
)

TINY = PspConfig(
    image_size=32,
    widths=(4, 6, 8, 10),
    units=(1, 2, 1, 1),
    squeeze="mean",
    head_width=6,
    heads=(1, 2, 1),
    w_dim=5,
    camera_code=3,
)


def ready(config: PspConfig) -> PspEncoder:
    """Return an encoder that takes steps; a new one takes none."""
    encoder = PspEncoder(config).eval()
    rng = torch.Generator().manual_seed(7)
    for head in encoder.styles:
        torch.nn.init.normal_(head.linear.weight, generator=rng)
    return encoder


@pytest.fixture(scope="module")
def encoder() -> PspEncoder:
    return ready(TINY)


def test_a_new_encoder_takes_no_step():
    image = torch.rand(1, 3, 32, 32)
    assert not bool(PspEncoder(TINY).eval()(image, image, cameras(1)).any())


@pytest.mark.parametrize("rate", [1.0, 16.0])
def test_linear_maps_learn_at_their_rate(rate):
    head = StyleHead(2, 3, 4, 5, camera_code=0, linear_rate=rate, rng=torch.Generator())
    with torch.no_grad():
        head.linear.weight.fill_(1.0)
        pred = head.linear(torch.ones(1, 3))
    assert pred[0].tolist() == pytest.approx([rate * 3 / 3**0.5] * 5)


def cameras(count: int):
    return random_views(count, (-0.5, 0.5), (-0.3, 0.3), torch.Generator().manual_seed(0))


def test_one_style_code_per_head(encoder):
    image = torch.rand(3, 3, 32, 32)
    assert encoder(image, image, cameras(3)).shape == (3, 4, 5)


def test_published_size_needs_no_memory_to_be_counted():
    config = official_config()
    assert (config.num_ws, config.level_sizes) == (14, (16, 32, 64))
    assert (config.squeeze, config.restyle.mean_view) == ("max", "frontal")


def test_avatar_size_is_the_same_class_and_small():
    config = avatar_config(w_dim=256, num_ws=12)
    encoder = PspEncoder(config)
    assert 3e6 < sum(p.numel() for p in encoder.parameters()) < 6e6
    assert (config.num_ws, config.squeeze) == (12, "mean")
    assert (config.restyle.mean_view, config.restyle.mean_noise) == ("target", "const")
    assert encoder.latent_mean.shape == (12, 256)


@pytest.mark.parametrize("num_ws", [1, 3, 5, 10, 14])
def test_avatar_heads_add_up(num_ws):
    assert avatar_config(8, num_ws).num_ws == num_ws


def test_config_survives_json():
    for config in (TINY, official_config(), avatar_config()):
        assert from_dict(PspConfig, to_dict(config)) == config


def test_heads_read_their_levels(encoder):
    image = torch.rand(1, 3, 32, 32)
    camera = frontal_camera()
    with torch.no_grad():
        coarse, middle, fine = encoder.pyramid(torch.cat([image, image], 1))
        pred = encoder(image, image, camera)
        levels = (coarse, middle, middle, fine)
        codes = [
            head(level, camera.label25())
            for head, level in zip(encoder.styles, levels, strict=True)
        ]
    assert [level.shape[-1] for level in levels] == [2, 4, 4, 8]
    torch.testing.assert_close(pred, torch.stack(codes, 1))


def test_steps_are_in_units_of_the_latents(encoder):
    image = torch.rand(1, 3, 32, 32)
    scaled = ready(TINY)
    std = torch.linspace(0.5, 2, 20).view(4, 5)
    scaled.set_latent_statistics(torch.ones(4, 5), std)
    torch.testing.assert_close(
        scaled(image, image, cameras(1)), encoder(image, image, cameras(1)) * std
    )
    assert bool((scaled.latent_mean == 1).all())


def test_the_camera_matters_only_where_it_is_used(encoder):
    image = torch.rand(1, 3, 32, 32)
    first, second = cameras(2)[0], cameras(2)[1]
    assert not torch.equal(encoder(image, image, first), encoder(image, image, second))
    without = ready(replace(TINY, camera_code=0))
    assert torch.equal(without(image, image, first), without(image, image))
    assert bool(without(image, image).any())


def test_the_original_psp_sees_the_picture_alone():
    config = replace(TINY, image_channels=3, camera_code=0, restyle=RestyleConfig(num_steps=1))
    image = torch.rand(2, 3, 32, 32)
    assert PspEncoder(config).eval()(image).shape == (2, 4, 5)


def test_target_comes_first_then_the_reconstruction(encoder):
    seen = []
    hook = encoder.input_layer.register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0])
    )
    encoder(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32), cameras(1))
    hook.remove()
    assert seen[0].mean(dim=(0, 2, 3)).tolist() == [0.0] * 3 + [1.0] * 3


def test_gradients_reach_all_parameters(encoder):
    encoder.zero_grad()
    image = torch.rand(2, 3, 32, 32)
    encoder(image, image, cameras(2)).square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_a_head_knows_its_camera_by_a_code_at_every_position():
    head = StyleHead(2, 3, 4, 5, camera_code=3, rng=torch.Generator().manual_seed(0))
    # 1x1 and strided 3x3 for each of two halvings, each with its rectifier.
    assert [layer.kernel_size for layer in head.convs[::2]] == [(1, 1), (3, 3)] * 2
    assert head.convs[0].in_channels == 2 + 3
    assert head(torch.rand(2, 2, 4, 4), torch.rand(2, 25)).shape == (2, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (4, 4, 4)}, "3 and 4 groups"),
        ({"image_size": 48}, "power of two"),
        ({"image_channels": 4}, "3 or 6"),
        ({"heads": (0, 0, 0)}, "three counts"),
        ({"image_channels": 3}, "num_steps"),
    ],
)
def test_configurations_that_cannot_be(change, message):
    with pytest.raises(UserError, match=message):
        replace(TINY, **change)


def test_steps_that_cannot_be():
    with pytest.raises(UserError, match="num_steps"):
        RestyleConfig(num_steps=0)


def test_missing_inputs_are_named(encoder):
    image = torch.rand(2, 3, 32, 32)
    with pytest.raises(UserError, match="reconstruction so far"):
        encoder(image, None, cameras(2))
    with pytest.raises(UserError, match="a camera per picture: got 3 for 2"):
        encoder(image, image, cameras(3))
    with pytest.raises(UserError, match=r"\[b, 3, 32, 32\]: got \[2, 3, 16, 16\]"):
        encoder(image[..., :16, :16], image, cameras(2))
