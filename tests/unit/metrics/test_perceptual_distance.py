"""LPIPS's form on feature stacks whose distance can be worked out by hand."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.metrics.perceptual import (
    AvatarPerceptualDistance,
    lpips_distance,
    unit_channels,
)
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig


@pytest.fixture(scope="module")
def avatar_distance() -> AvatarPerceptualDistance:
    torch.manual_seed(0)
    config = FeatureNetworkConfig(("original",), attribute_dim=2, channels=(4, 6, 8, 8, 8))
    return AvatarPerceptualDistance(AvatarFeatures(config))


def test_unit_channels_divides_by_the_length_at_each_position() -> None:
    features = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).repeat(1, 1, 1, 2)
    features[..., 1] = 0.0
    scaled = unit_channels(features)
    torch.testing.assert_close(scaled[0, :, 0, 0], torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(scaled[0, :, 0, 1], torch.zeros(2))


def test_distance_of_known_features() -> None:
    # Stage "a": directions (1,0) and (0,1) at one of two positions, equal at the other: squared
    # differences (1, 1), weighted 0.5 and 2 -> 2.5, averaged over two positions -> 1.25.
    first_a = torch.zeros(1, 2, 1, 2)
    first_a[0, 0] = 5.0
    second_a = first_a.clone()
    second_a[0, :, 0, 1] = torch.tensor([0.0, 7.0])
    # Stage "b": (0.6, 0.8) against (1, 0): 0.16 + 0.64 = 0.8, one weight 0.5 for all -> 0.4.
    first_b = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    second_b = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    distance = lpips_distance(
        {"a": first_a, "b": first_b},
        {"a": second_a, "b": second_b},
        {"a": torch.tensor([0.5, 2.0]), "b": torch.tensor(0.5)},
    )
    torch.testing.assert_close(distance, torch.tensor([1.65]))


def test_distance_ignores_the_length_of_features() -> None:
    generator = torch.Generator().manual_seed(1)
    first = torch.rand(2, 3, 4, 4, generator=generator)
    second = torch.rand(2, 3, 4, 4, generator=generator)
    weight = {"a": torch.ones(3)}
    plain = lpips_distance({"a": first}, {"a": second}, weight)
    scaled = lpips_distance({"a": 10 * first}, {"a": 0.1 * second}, weight)
    torch.testing.assert_close(plain, scaled, rtol=1e-4, atol=1e-5)


def test_equal_images_are_at_distance_zero(avatar_distance: AvatarPerceptualDistance) -> None:
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    assert avatar_distance(image, image).tolist() == [0.0, 0.0]


def test_distance_grows_with_noise_and_is_symmetric(
    avatar_distance: AvatarPerceptualDistance,
) -> None:
    image = torch.rand(2, 3, 64, 64) - 0.5
    noise = torch.randn(2, 3, 64, 64)
    near, far = image + 0.05 * noise, image + 0.3 * noise
    assert bool((avatar_distance(image, far) > avatar_distance(image, near)).all())
    assert bool((avatar_distance(image, near) > 0).all())
    torch.testing.assert_close(avatar_distance(image, far), avatar_distance(far, image))


def test_small_crops_are_measured(avatar_distance: AvatarPerceptualDistance) -> None:
    crop = torch.rand(3, 3, 24, 24)
    assert avatar_distance(crop, crop.flip(-1)).shape == (3,)


def test_gradient_reaches_the_image_and_stays_finite_on_flat_regions(
    avatar_distance: AvatarPerceptualDistance,
) -> None:
    # Zeros on the left half: with fresh biases every feature there is exactly zero.
    image = torch.rand(1, 3, 32, 64) * (torch.arange(64) >= 32)
    image.requires_grad_(True)
    avatar_distance(image, torch.rand(1, 3, 32, 64)).sum().backward()
    assert image.grad is not None
    assert bool(torch.isfinite(image.grad).all())
    assert float(image.grad.abs().sum()) > 0
    assert all(not p.requires_grad for p in avatar_distance.parameters())


def test_stage_weights_choose_what_counts() -> None:
    config = FeatureNetworkConfig(("original",), attribute_dim=2, channels=(4, 4, 4, 4, 4))
    network = AvatarFeatures(config)
    images = torch.rand(2, 1, 3, 32, 32)
    apart = [
        AvatarPerceptualDistance(network, tuple(float(i == j) for j in range(5)))(*images)
        for i in range(5)
    ]
    together = AvatarPerceptualDistance(network, (1.0,) * 5)(*images)
    torch.testing.assert_close(sum(apart), together)
    with pytest.raises(UserError, match="non-negative"):
        AvatarPerceptualDistance(network, (1.0, 1.0, 1.0, 1.0, -1.0))
