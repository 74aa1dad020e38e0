"""AlexNet's feature stack: public names, shapes, taps."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.alexnet import AlexNetFeatures

PUBLIC_SHAPES = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}


@pytest.fixture(scope="module")
def network() -> AlexNetFeatures:
    return AlexNetFeatures()


def test_parameters_have_the_public_names_and_shapes(network):
    expected = {}
    for index, shape in PUBLIC_SHAPES.items():
        expected[f"features.{index}.weight"] = shape
        expected[f"features.{index}.bias"] = shape[:1]
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == expected


def test_taps_lie_behind_the_rectifiers(network):
    # Convolution of 11 with stride 4 and padding 2, then two poolings of 3 with stride 2.
    with torch.no_grad():
        found = network(torch.rand(1, 3, 64, 64))
    assert {name: tuple(value.shape[1:]) for name, value in found.items()} == {
        "relu1": (64, 15, 15),
        "relu2": (192, 7, 7),
        "relu3": (384, 3, 3),
        "relu4": (256, 3, 3),
        "relu5": (256, 3, 3),
    }
    assert network.channels == {name: value.shape[1] for name, value in found.items()}
    assert all(float(value.min()) >= 0 for value in found.values())


def test_the_second_tap_is_the_rectified_second_convolution(network):
    image, w = torch.rand(1, 3, 64, 64), network.state_dict()
    first = functional.conv2d(
        image, w["features.0.weight"], w["features.0.bias"], stride=4, padding=2
    )
    pooled = functional.max_pool2d(functional.relu(first), 3, 2)
    second = functional.conv2d(pooled, w["features.3.weight"], w["features.3.bias"], padding=2)
    torch.testing.assert_close(network(image)["relu2"], functional.relu(second))


def test_the_public_file_is_taken_without_its_classifier(network):
    public = {name: torch.full_like(value, 0.25) for name, value in network.state_dict().items()}
    fresh = AlexNetFeatures()
    fresh.load_public({**public, "classifier.1.weight": torch.zeros(2, 2)})
    assert all(bool((value == 0.25).all()) for value in fresh.state_dict().values())
    del public["features.8.bias"]
    with pytest.raises(UserError, match=r"AlexNet: 1 of 10 .*features.8.bias"):
        fresh.load_public(public)
