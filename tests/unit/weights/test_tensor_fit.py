"""The table of what does not fit, and shapes of networks that are never made."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.models.eg3d import OFFICIAL_CONFIGS, TriPlaneGenerator, avatar_config
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.weights.tensor_fit import TensorsDoNotFit, check_fit, shapes_of


def test_equal_tables_fit():
    check_fit({"a": (1, 2), "b": ()}, {"b": torch.Size(), "a": [1, 2]}, network="N", source="f")


def test_all_misfits_are_in_one_table():
    expected = {"a": (1,), "b": (2, 3), "c": (4,)}
    with pytest.raises(TensorsDoNotFit) as caught:
        check_fit(expected, {"b": (3, 2), "c": (4,), "d": ()}, network="Net", source="f.pkl")
    assert [line.cells() for line in caught.value.misfits] == [
        ("missing", "a", "[1]", "-"),
        ("unexpected", "d", "-", "[]"),
        ("misshapen", "b", "[2, 3]", "[3, 2]"),
    ]
    assert str(caught.value) == (
        "the tensors of f.pkl do not fit a Net:\n"
        "  1 missing: a\n  1 unexpected: d\n  1 misshapen: b is [3, 2], not [2, 3]"
    )
    assert isinstance(caught.value, UserError)


def test_the_message_shows_the_first_of_each_kind():
    expected = {f"x{index}": (1,) for index in range(9)}
    with pytest.raises(TensorsDoNotFit) as caught:
        check_fit(expected, {}, network="Net", source="f")
    assert "9 missing: x0, x1, x2, x3, x4, ..." in str(caught.value)
    assert len(caught.value.misfits) == 9


@pytest.mark.parametrize(
    "build",
    [
        lambda: TriPlaneGenerator(avatar_config(5)),
        lambda: DualDiscriminator(DiscriminatorConfig(image_size=16, channel_base=64)),
        lambda: DualDiscriminator(
            DiscriminatorConfig(image_size=8, channel_base=64, channel_max=4, label_dim=0)
        ),
    ],
)
def test_shapes_are_those_of_the_network(build):
    state = build().state_dict()
    assert shapes_of(build) == {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("name", OFFICIAL_CONFIGS)
def test_full_size_shapes_cost_nothing(name):
    shapes = shapes_of(lambda: TriPlaneGenerator(OFFICIAL_CONFIGS[name]()))
    assert len(shapes) in (176, 177)  # some heads store their filter
    assert shapes["backbone.mapping.fc0.weight"] == (512, 1024)


def test_absurd_shapes_cost_nothing():
    config = DiscriminatorConfig(image_size=1024, channel_base=1 << 20, channel_max=1 << 12)
    assert shapes_of(lambda: DualDiscriminator(config))["b4.fc.weight"] == (1 << 12, 1 << 16)
