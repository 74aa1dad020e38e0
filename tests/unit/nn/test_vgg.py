"""VGG16's feature stack: public names, shapes, taps."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.vgg import VGG16Features

# Index of each convolution in the public file and its channels in and out (configuration D).
PUBLIC_CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}


@pytest.fixture(scope="module")
def vgg() -> VGG16Features:
    return VGG16Features()


def test_parameters_have_the_public_names_and_shapes(vgg: VGG16Features) -> None:
    expected = {}
    for index, (channels_in, channels_out) in PUBLIC_CONVOLUTIONS.items():
        expected[f"features.{index}.weight"] = (channels_out, channels_in, 3, 3)
        expected[f"features.{index}.bias"] = (channels_out,)
    assert {name: tuple(value.shape) for name, value in vgg.state_dict().items()} == expected
    # Known size of VGG16 without its classifier.
    assert sum(p.numel() for p in vgg.parameters()) == 14_714_688


def test_default_taps_end_the_five_blocks(vgg: VGG16Features) -> None:
    with torch.no_grad():
        features = vgg(torch.rand(1, 3, 32, 32))
    assert {name: tuple(value.shape[1:]) for name, value in features.items()} == {
        "relu1_2": (64, 32, 32),
        "relu2_2": (128, 16, 16),
        "relu3_3": (256, 8, 8),
        "relu4_3": (512, 4, 4),
        "relu5_3": (512, 2, 2),
    }
    assert vgg.channels == {name: value.shape[1] for name, value in features.items()}


def test_a_tap_is_the_rectified_convolution() -> None:
    vgg = VGG16Features(("relu1_1", "relu2_1"))
    image = torch.rand(1, 3, 16, 16)
    w = vgg.state_dict()
    first = functional.relu(
        functional.conv2d(image, w["features.0.weight"], w["features.0.bias"], padding=1)
    )
    second = functional.relu(
        functional.conv2d(first, w["features.2.weight"], w["features.2.bias"], padding=1)
    )
    third = functional.conv2d(
        functional.max_pool2d(second, 2), w["features.5.weight"], w["features.5.bias"], padding=1
    )
    found = vgg(image)
    assert list(found) == ["relu1_1", "relu2_1"]
    torch.testing.assert_close(found["relu1_1"], first)
    torch.testing.assert_close(found["relu2_1"], functional.relu(third))


def test_loads_the_public_file_and_ignores_its_classifier(vgg: VGG16Features) -> None:
    public = {name: torch.full_like(value, 0.25) for name, value in vgg.state_dict().items()}
    public["classifier.0.weight"] = torch.zeros(2, 2)
    fresh = VGG16Features()
    fresh.load_public(public)
    assert all(bool((value == 0.25).all()) for value in fresh.state_dict().values())


def test_mistakes_are_named(vgg: VGG16Features) -> None:
    wrong = dict(vgg.state_dict())
    wrong["features.10.weight"] = torch.zeros(1)
    del wrong["features.28.bias"]
    with pytest.raises(UserError, match=r"2 of 26 .* features.10.weight"):
        VGG16Features().load_public(wrong)
    with pytest.raises(UserError, match="relu6_1"):
        VGG16Features(("relu6_1",))
