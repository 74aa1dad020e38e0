"""The avatar feature network: stages, heads, and what they may depend on."""

from __future__ import annotations

import pytest
import torch

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig

TINY = FeatureNetworkConfig(
    style_names=("original", "bronze", "elf"),
    attribute_dim=7,
    channels=(4, 6, 8, 8, 10),
    identity_dim=5,
    region_channels=4,
)


@pytest.fixture
def network() -> AvatarFeatures:
    torch.manual_seed(3)
    return AvatarFeatures(TINY).eval()


def test_each_stage_halves_the_size_and_has_its_width(network: AvatarFeatures) -> None:
    features = network(torch.rand(2, 3, 96, 64) * 2 - 1)
    assert {name: tuple(value.shape) for name, value in features.items()} == {
        "stage1": (2, 4, 96, 64),
        "stage2": (2, 6, 48, 32),
        "stage3": (2, 8, 24, 16),
        "stage4": (2, 8, 12, 8),
        "stage5": (2, 10, 6, 4),
    }
    assert all(float(value.detach().min()) >= 0 for value in features.values())


def test_heads_answer_at_their_sizes_for_any_image_size(network: AvatarFeatures) -> None:
    for size in (64, 100, 128):
        features = network(torch.rand(2, 3, size, size))
        assert network.region_logits(features).shape == (2, 9, size, size)
        assert network.style_logits(features).shape == (2, 3)
        assert network.attributes(features).shape == (2, 7)
        lengths = network.identity(features).norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones(2))


def test_every_parameter_is_reached_by_some_head(network: AvatarFeatures) -> None:
    features = network(torch.randn(2, 3, 64, 64))
    heads = (network.region_logits, network.style_logits, network.attributes, network.identity)
    sum(head(features).square().sum() + head(features)[:, 0].sum() for head in heads).backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None]
    assert unreached == []


def test_a_feature_depends_only_on_its_receptive_field(network: AvatarFeatures) -> None:
    image = torch.rand(1, 3, 64, 64)
    changed = image.clone()
    changed[..., 40:, 40:] = -1.0
    before, after = network(image)["stage2"], network(changed)["stage2"]
    # Two 3x3 convolutions, an average of 2x2, two more: 2 + 4 pixels reach beyond a cell.
    torch.testing.assert_close(before[..., :16, :16], after[..., :16, :16], rtol=0, atol=0)
    assert not torch.equal(before, after)


def test_batch_gives_what_single_images_give(network: AvatarFeatures) -> None:
    images = torch.rand(3, 3, 64, 64)
    together = network.style_logits(network(images))
    apart = torch.cat([network.style_logits(network(image[None])) for image in images])
    torch.testing.assert_close(together, apart)


def test_embedded_size_is_between_one_and_three_million_parameters() -> None:
    config = FeatureNetworkConfig(
        style_names=tuple(f"style{i}" for i in range(40)), attribute_dim=120
    )
    count = sum(p.numel() for p in AvatarFeatures(config).parameters())
    assert 1e6 < count < 3e6


def test_config_survives_json() -> None:
    assert from_dict(FeatureNetworkConfig, to_dict(TINY)) == TINY


def test_mistakes_are_named(network: AvatarFeatures) -> None:
    with pytest.raises(UserError, match="at least 16"):
        network(torch.zeros(1, 3, 15, 64))
    with pytest.raises(UserError, match="no name twice"):
        FeatureNetworkConfig(style_names=("elf", "elf"), attribute_dim=1)
    with pytest.raises(UserError, match="expected 5"):
        FeatureNetworkConfig(style_names=("elf",), attribute_dim=1, channels=(8, 8))
