"""The head pose network: shapes, rotations, mirror images."""

from __future__ import annotations

import math

import pytest
import torch

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.nn.head_pose_network import (
    HeadPose,
    HeadPoseConfig,
    HeadPoseNetwork,
    rotation_from_columns,
)

CONFIG = HeadPoseConfig(
    landmarks=("a", "left b", "right b"),
    mirrored=(0, 2, 1),
    image_size=32,
    channels=(4, 8, 8, 8),
    blocks=(1, 1, 0),
    layout_channels=4,
    hidden=16,
)


@pytest.fixture
def network():
    return HeadPoseNetwork(CONFIG).eval().requires_grad_(False)


def test_answers_have_their_shapes(network):
    said = network(torch.rand(2, 3, 32, 32))
    assert said.landmarks.shape == (2, 3, 2)
    assert said.anchor.shape == (2, 2)
    assert said.log_scale.shape == said.presence.shape == (2,)
    assert said.rotation.shape == (2, 3, 3)


def test_an_untrained_network_says_about_frontal_and_centred(network):
    said = network(torch.zeros(1, 3, 32, 32))
    torch.testing.assert_close(said.rotation[0], torch.diag(torch.tensor([1.0, -1, -1])))
    assert float(said.log_scale) == pytest.approx(-math.log(CONFIG.window_units), abs=1e-5)
    assert said.anchor.abs().max() < 1e-6


def test_batches_are_the_same_as_singles(network):
    images = torch.randn(3, 3, 32, 32)
    together = network(images)
    for index in range(3):
        alone = network(images[index : index + 1])
        torch.testing.assert_close(together.landmarks[index], alone.landmarks[0])
        torch.testing.assert_close(together.rotation[index], alone.rotation[0])


def test_any_six_numbers_make_a_rotation():
    rotation = rotation_from_columns(torch.randn(50, 6))
    torch.testing.assert_close(
        rotation @ rotation.transpose(1, 2), torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(50))
    # orthonormal columns are kept as they are
    kept = rotation_from_columns(rotation[:, :, :2].transpose(1, 2).flatten(1))
    torch.testing.assert_close(kept, rotation)


def test_mirroring_twice_changes_nothing_and_once_swaps_sides(network):
    said = network(torch.randn(2, 3, 32, 32))
    once = said.mirrored(CONFIG.mirrored)
    torch.testing.assert_close(once.landmarks[:, 1], said.landmarks[:, 2] * torch.tensor([-1.0, 1]))
    torch.testing.assert_close(torch.linalg.det(once.rotation), torch.ones(2))
    twice = once.mirrored(CONFIG.mirrored)
    for name in ("landmarks", "anchor", "log_scale", "rotation", "presence"):
        torch.testing.assert_close(getattr(twice, name), getattr(said, name))


def test_a_head_turned_left_is_mirrored_to_one_turned_right():
    cos, sin = math.cos(0.3), math.sin(0.3)
    turned = torch.tensor([[[cos, 0, -sin], [0, -1, 0], [-sin, 0, -cos]]])
    pose = HeadPose(torch.zeros(1, 3, 2), torch.zeros(1, 2), torch.zeros(1), turned, torch.ones(1))
    other = pose.mirrored(CONFIG.mirrored).rotation[0]
    torch.testing.assert_close(other[0, 2], -turned[0, 0, 2])
    torch.testing.assert_close(other[2, 2], turned[0, 2, 2])


def test_configuration_survives_json():
    assert from_dict(HeadPoseConfig, to_dict(CONFIG)) == CONFIG


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_size": 40}, "multiple of 16"),
        ({"mirrored": (0, 1, 1)}, "every landmark once"),
        ({"channels": (8, 8)}, "4 stage widths"),
    ],
)
def test_configurations_that_make_no_network(change, said):
    with pytest.raises(UserError, match=said):
        HeadPoseConfig(**{"landmarks": CONFIG.landmarks, "mirrored": CONFIG.mirrored, **change})


def test_windows_of_another_size_are_refused(network):
    with pytest.raises(UserError, match=r"expected \[b, 3, 32, 32\]"):
        network(torch.zeros(1, 3, 64, 64))
