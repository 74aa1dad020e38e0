"""The encoder of photos: what does not depend on what, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_edit import TINY, TINY_LIVE3D, TINY_NORMAL, TINY_PROMPT, pictures, tiny_network

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.edit.encoder import TriplaneEncoder, TriplaneEncoderConfig
from triptych.systems.edit.low_branch import dropped
from triptych.systems.edit.network import PortraitEncoderConfig, published_rendering
from triptych.systems.edit.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    reference_input,
    with_coordinates,
)
from triptych.systems.edit.prompt_branch import attention_weights, sine_positions


@pytest.fixture(scope="module")
def encoder() -> TriplaneEncoder:
    return tiny_network().encoder


@pytest.fixture(scope="module")
def photo(encoder):
    return encoder.photo_features(pictures())


def prompt_tokens(num: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(1, num, TINY_PROMPT.width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", [TINY, TINY_LIVE3D, TINY_NORMAL])
def test_planes_are_half_as_large_as_the_photo(config):
    encoder = tiny_network(config).encoder
    photo = encoder.photo_features(pictures(2))
    planes = encoder.planes(photo)
    assert planes.shape == (2, 3, config.plane_channels, config.plane_size, config.plane_size)
    side = 16 if config.layout == "LT" else 32
    assert photo.low.shape[-1] == photo.high.shape[-1] == side
    assert (photo.queries is None) == (config.prompt is None)


@pytest.mark.parametrize("size", [(32, 32), (48, 96)])
def test_other_sizes_of_photos_are_taken(encoder, size):
    height, width = size
    planes = encoder.planes(encoder.photo_features(torch.zeros(1, 3, *size)), prompt_tokens(2))
    assert planes.shape[-2:] == (height // 2, width // 2)


def test_a_batch_gives_what_its_photos_give(encoder):
    photos, tokens = pictures(2), prompt_tokens(3)
    together = encoder.planes(encoder.photo_features(photos), tokens)
    alone = [encoder.planes(encoder.photo_features(photos[i : i + 1]), tokens) for i in (0, 1)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_prompt_tokens_have_no_order(encoder, photo):
    tokens = prompt_tokens(5)
    shuffled = tokens[:, [3, 0, 4, 1, 2]]
    assert torch.allclose(encoder.planes(photo, tokens), encoder.planes(photo, shuffled), atol=1e-5)
    assert not torch.allclose(
        encoder.planes(photo, tokens), encoder.planes(photo, tokens[:, :3]), atol=1e-3
    )


def test_a_single_token_hides_the_high_features(encoder, photo):
    # The only token is all that any query can find, whatever it asks.
    token = prompt_tokens(1)
    other = replace(photo, queries=photo.queries * -3 + 1, high=photo.high + 1)
    assert torch.equal(encoder.planes(photo, token), encoder.planes(other, token))


def test_attention_is_an_average_of_tokens():
    queries = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    tokens = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    share = 1 / (1 + torch.tensor(-(2**0.5)).exp())
    expected = torch.tensor([[[share, 1 - share], [0.5, 0.5]]])
    assert torch.allclose(attention_weights(queries, tokens), expected)


def test_mode_of_training_changes_nothing_and_dropout_is_asked_for():
    encoder = tiny_network().encoder
    low = encoder.photo_features(pictures()).low
    assert torch.equal(encoder.train().photo_features(pictures()).low, low)
    drawn = [
        encoder.photo_features(pictures(), dropout=torch.Generator().manual_seed(seed)).low
        for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], low)


def test_dropout_zeroes_half_and_doubles_the_rest():
    found = dropped(torch.full((100, 100), 3.0), torch.Generator().manual_seed(0))
    assert set(found.unique().tolist()) == {0.0, 6.0}
    assert abs(float((found == 0).float().mean()) - 0.5) < 0.02


def test_coordinates_are_rows_then_columns():
    placed = with_coordinates(torch.zeros(1, 3, 2, 4), "pixels")[0, 3:]
    assert placed[0].tolist() == [[0] * 4, [1] * 4]
    assert placed[1].tolist() == [[0, 1, 2, 3]] * 2
    unit = with_coordinates(torch.zeros(1, 3, 2, 4), "unit")[0, 3:]
    assert unit[0, :, 0].tolist() == [-0.5, 0.5]
    assert unit[1, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_references_are_in_units_of_each_colour():
    grey = reference_input(torch.zeros(1, 3, 8, 8), TINY_PROMPT)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    assert torch.allclose(grey.amax(dim=(0, 2, 3)), (0.5 - mean) / std)
    assert reference_input(torch.zeros(2, 3, 40, 40), TINY_PROMPT).shape == (2, 3, 8, 8)


def test_antialiasing_averages_what_plain_resizing_skips():
    noise = pictures(1, 32)
    averaged, plain = (
        float(reference_input(noise, replace(TINY_PROMPT, antialias=on)).std())
        for on in (True, False)
    )
    assert averaged < 0.5 * plain


def test_position_codes_tell_columns_first():
    codes = sine_positions(3, 8)
    assert codes[0].tolist() == [0] * 8
    of_row_1_column_2 = codes[1 + 3 + 2]
    expected = torch.tensor([2.0, 0.02, 1.0, 0.01])
    found = of_row_1_column_2.reshape(2, 2, 2)
    assert torch.allclose(found[:, 0].flatten(), expected.sin())
    assert torch.allclose(found[:, 1].flatten(), expected.cos())


def test_what_does_not_fit_is_refused(encoder, photo):
    with pytest.raises(UserError, match="expected .b, 3, h, w., h and w multiples of 16"):
        encoder.photo_features(torch.zeros(1, 3, 64, 60))
    with pytest.raises(UserError, match="prompt tokens: got .1, 2, 7.; expected .b, k, 8."):
        encoder.planes(photo, torch.zeros(1, 2, 7))
    with pytest.raises(UserError, match="reference: got .1, 3, 9, 9.; expected .b, 3, 8, 8."):
        encoder.reference_tokens(torch.zeros(1, 3, 9, 9))
    plain = tiny_network(TINY_LIVE3D).encoder
    with pytest.raises(UserError, match="takes no prompt"):
        plain.reference_tokens(torch.zeros(1, 3, 8, 8))
    with pytest.raises(UserError, match="takes no prompt"):
        plain.planes(plain.photo_features(pictures()), prompt_tokens(1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layout": "Normal"}, "low_outputs: got 2 widths; expected 3 in the layout Normal"),
        ({"image_size": 40}, "image_size: got 40; expected a multiple of 16"),
        ({"low_heads": 3}, "low_width: got 16; expected a multiple of 12"),
        ({"high_widths": (4,)}, "high_widths: convolutions"),
        ({"output_widths": (4, 4)}, "output_widths: got 2 widths; expected 4"),
    ],
)
def test_configurations_that_describe_no_network(changes, said):
    with pytest.raises(UserError, match=said):
        replace(TINY, **changes)
    with pytest.raises(UserError, match="only the layout LT has a prompt branch"):
        replace(TINY_NORMAL, prompt=TINY_PROMPT)


def test_configurations_survive_json():
    for config in (TINY, TINY_NORMAL):
        assert from_dict(TriplaneEncoderConfig, to_dict(config)) == config


def test_encoder_and_renderer_agree_on_planes():
    with pytest.raises(UserError, match="planes of 4 channels and 32 pixels; expected 32 and 256"):
        PortraitEncoderConfig(TINY, published_rendering())


def test_portraits_show_what_the_network_renders(tmp_path):
    network = tiny_network()
    planes = network.encoder(pictures())
    portrait = network.portrait(planes, {"made": "here"})
    rendering = network.render(planes, portrait.camera)
    view = portrait.render(portrait.camera, path="exact")
    assert torch.equal(view.image, rendering.image)
    portrait.save(tmp_path / "p.safetensors", exact=True)
    again = type(portrait).load(tmp_path / "p.safetensors")
    assert torch.equal(again.render(portrait.camera, path="exact").image, view.image)
    assert again.provenance == {"made": "here"}
