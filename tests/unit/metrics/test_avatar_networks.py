"""Identity feature and style classifier over a feature network."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from triptych.errors import UserError
from triptych.metrics.identity import AvatarIdentity, identity_similarity
from triptych.metrics.style_classifier import AvatarStyleClassifier, style_index
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig


@pytest.fixture(scope="module")
def network() -> AvatarFeatures:
    torch.manual_seed(0)
    config = FeatureNetworkConfig(
        ("original", "bronze", "elf"), attribute_dim=2, channels=(4, 6, 8, 8, 8)
    )
    return AvatarFeatures(config)


def test_identity_of_equal_images_is_one_and_others_are_below(network: AvatarFeatures) -> None:
    identity = AvatarIdentity(network)
    first, second = torch.rand(2, 1, 3, 128, 128) * 2 - 1
    same = identity_similarity(identity, first, first)
    torch.testing.assert_close(same, torch.ones(1))
    assert float(identity_similarity(identity, first, second)) < 1 - 1e-5


def test_images_of_other_sizes_are_seen_at_working_size(network: AvatarFeatures) -> None:
    # Smooth, so that shrinking it loses nothing.
    coarse = torch.rand(1, 3, 8, 8)
    large, small = (
        functional.interpolate(coarse, size=(size, size), mode="bicubic") for size in (256, 128)
    )
    identity = AvatarIdentity(network)
    assert float((identity.embed(large) * identity.embed(small)).sum()) > 0.9999
    unresized = network.identity(network(large))
    assert float((unresized * identity.embed(small)).sum()) < 0.9999


def test_probabilities_sum_to_one_and_follow_the_logits(network: AvatarFeatures) -> None:
    classifier = AvatarStyleClassifier(network)
    image = torch.rand(3, 3, 128, 128)
    probability = classifier.probabilities(image)
    torch.testing.assert_close(probability.sum(1), torch.ones(3))
    logits = network.style_logits(network(image))
    assert torch.equal(probability.argmax(1), logits.argmax(1))
    assert classifier.names == ("original", "bronze", "elf")


def test_an_unknown_style_is_named_with_the_known_ones(network: AvatarFeatures) -> None:
    classifier = AvatarStyleClassifier(network)
    assert style_index(classifier, "elf") == 2
    with pytest.raises(UserError, match="'gold'.*original, bronze, elf"):
        style_index(classifier, "gold")
