"""The Image-to-Triplane network: shapes, mean plane, style mixing, ablation, official size."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.systems.stylize.image_to_triplane import (
    ImageToTriplane,
    ImageToTriplaneConfig,
    avatar_config,
    official_config,
)

TINY = ImageToTriplaneConfig(
    image_size=16,
    plane_size=16,
    plane_channels=2,
    code_size=4,
    code_channels=6,
    encoder_channels=(4, 6, 8),
    encoder_attention=1,
    decoder_channels=(8, 6, 4),
    modulation_hidden=4,
)


def _trained_like(config: ImageToTriplaneConfig = TINY) -> ImageToTriplane:
    """Return a network whose plane heads are not zero."""
    network = ImageToTriplane(config)
    for block in network.decoder.blocks:
        torch.nn.init.normal_(block.to_planes.weight)
    return network


def test_new_network_predicts_the_mean_plane():
    network = ImageToTriplane(TINY)
    mean, std = torch.randn(3, 2, 16, 16), torch.rand(3, 2, 1, 1) + 0.5
    network.set_plane_statistics(mean, std)
    planes = network(torch.rand(2, 3, 16, 16))
    assert planes.shape == (2, 3, 2, 16, 16)
    torch.testing.assert_close(planes, mean.expand(2, -1, -1, -1, -1))


def test_statistics_scale_each_channel():
    network = _trained_like()
    code = network.encode(torch.rand(1, 3, 16, 16))
    whitened = network.decode_whitened(code)
    mean, std = torch.randn(3, 2, 16, 16), torch.rand(3, 2, 1, 1) + 0.5
    network.set_plane_statistics(mean, std)
    torch.testing.assert_close(network.decode(code), mean + std * whitened)


def test_statistics_are_saved_with_the_weights():
    state = ImageToTriplane(TINY).state_dict()
    assert {"plane_mean", "plane_std"} <= set(state)


def test_forward_is_decode_of_encode():
    network = _trained_like()
    image = torch.rand(2, 3, 16, 16)
    code = network.encode(image)
    assert code.shape == (2, 6, 4, 4)
    torch.testing.assert_close(network(image), network.decode(code), rtol=0, atol=0)


def test_other_image_sizes_are_resized():
    network = _trained_like()
    image = torch.full((1, 3, 16, 16), 0.3)
    larger = torch.full((1, 3, 40, 40), 0.3)
    torch.testing.assert_close(network(larger), network(image))


def test_vector_code_forgets_where_things_are():
    image = torch.rand(1, 3, 16, 16)
    spatial = _trained_like().encode(image)
    vector = _trained_like(dataclasses.replace(TINY, code_pooling="vector")).encode(image)
    assert spatial.std((2, 3)).min() > 0
    assert vector.shape == spatial.shape
    assert vector.std((2, 3)).max() < 1e-6


def test_widths_must_span_the_sizes():
    with pytest.raises(UserError, match="decoder_channels: got 2 widths"):
        dataclasses.replace(TINY, decoder_channels=(8, 4))


def test_config_survives_json():
    assert from_dict(ImageToTriplaneConfig, to_dict(TINY)) == TINY


def test_official_size():
    config = official_config()
    with torch.device("meta"):
        network = ImageToTriplane(config)
        planes = network(torch.empty(1, 3, 512, 512))
    assert planes.shape == (1, 3, 32, 256, 256)
    assert config.num_modulations == 7
    parameters = sum(p.numel() for p in network.parameters())
    assert 20e6 < parameters < 35e6


def test_avatar_size():
    config = avatar_config()
    with torch.device("meta"):
        network = ImageToTriplane(config)
        planes = network(torch.empty(1, 3, 128, 128))
    assert planes.shape == (1, 3, 16, 128, 128)
    assert sum(p.numel() for p in network.parameters()) < 7e6


def test_learns_to_copy_a_picture_into_a_plane():
    # The plane XY looks at the head from the front: the network must be able to pass it on.
    network = ImageToTriplane(TINY)
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    images = torch.nn.functional.avg_pool2d(images, 4).repeat_interleave(4, 2)
    images = images.repeat_interleave(4, 3)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3, betas=(0.0, 0.99))
    errors = []
    for _ in range(60):
        error = (network(images)[:, 0] - images[:, :2]).abs().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]
