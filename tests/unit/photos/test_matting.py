"""Pictures before a plain background, with a network whose regions are known."""

from __future__ import annotations

import pytest
import torch

from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.photos.matting import HeadMatting

GREY = 191 / 127.5 - 1


class _LeftIsHead(AvatarFeatures):
    """Takes the left half of every picture for a face."""

    def __init__(self) -> None:
        super().__init__(FeatureNetworkConfig(("original",), 4, channels=(2, 2, 2, 2, 2)))

    def region_logits(self, features):
        logits = torch.zeros_like(features["stage1"][:, :1]).repeat(1, 9, 1, 1)
        half = logits.shape[-1] // 2
        logits[:, 1, :, :half], logits[:, 0, :, half:] = 50.0, 50.0
        return logits


@pytest.fixture
def matting():
    return HeadMatting(_LeftIsHead(), GREY)


def test_what_is_behind_the_head_becomes_plain(matting):
    picture = torch.full((1, 3, 64, 64), -0.5)
    shown = matting(picture)
    assert torch.allclose(shown[..., :31], picture[..., :31], atol=1e-5)
    assert torch.allclose(shown[..., 33:], torch.tensor(GREY), atol=1e-5)


def test_a_picture_before_the_plain_background_stays(matting):
    picture = torch.full((1, 3, 64, 64), GREY)
    picture[..., 20:40, 20:60] = -0.5
    assert matting(picture) is picture


@pytest.mark.parametrize("size", [32, 200])
def test_heads_have_the_size_of_their_picture(matting, size):
    head = matting.head(torch.zeros(2, 3, size, size))
    assert head.shape == (2, 1, size, size)
    assert float(head[..., 0].min()) > 0.99
    assert float(head[..., -1].max()) < 0.01


def test_a_network_that_knows_people_goes_first(matting):
    right = torch.zeros(1, 1, 64, 64)
    right[..., 32:] = 1.0
    picture = torch.full((1, 3, 64, 64), -0.5)
    knowing = HeadMatting(_LeftIsHead(), GREY, lambda image: right)
    shown = knowing(picture)
    assert torch.equal(shown[..., 32:], picture[..., 32:])
    assert torch.allclose(shown[..., :32], torch.tensor(GREY))
    unsure = HeadMatting(_LeftIsHead(), GREY, lambda image: None)
    assert torch.equal(unsure(picture), matting(picture))


def test_the_plain_border_of_a_photograph_is_not_its_background(matting):
    picture = torch.full((1, 3, 64, 64), GREY)
    picture[..., 10:50, 10:54] = -0.5
    assert matting(picture) is picture
    shown = matting(picture, is_photograph=True)
    assert torch.allclose(shown[..., 36:], torch.tensor(GREY), atol=1e-5)
    assert torch.allclose(shown[..., 10:50, 10:30], torch.tensor(-0.5), atol=1e-5)


def test_many_pictures_go_before_the_plain_background_at_once(matting):
    pictures = torch.full((3, 3, 64, 64), -0.5)
    pictures[1] = GREY
    shown = matting.on_plain_background(pictures)
    assert torch.allclose(shown[0, :, :, :31], torch.tensor(-0.5), atol=1e-5)
    assert torch.allclose(shown[:, :, :, 33:], torch.tensor(GREY), atol=1e-5)


@pytest.mark.parametrize(("sure", "head"), [(0.2, 0.0), (0.4, 0.3), (0.5, 0.5), (0.8, 1.0)])
def test_answers_that_are_rather_sure_count_as_sure(monkeypatch, matting, sure, head):
    logits = torch.full((1, 9, 8, 8), -50.0)
    logits[:, 0], logits[:, 1] = 0.0, torch.logit(torch.tensor(sure))
    monkeypatch.setattr(matting._network, "region_logits", lambda features: logits)
    found = matting.head(torch.zeros(1, 3, 64, 64))
    assert torch.allclose(found, torch.tensor(head), atol=1e-4)


def test_what_surely_is_the_head_stays(matting):
    pictures = torch.full((2, 3, 64, 64), -0.5)
    surely = torch.zeros(2, 1, 64, 64)
    surely[:, :, 40:, 40:] = 1.0
    shown = matting.on_plain_background(pictures, surely)
    assert torch.allclose(shown[:, :, 40:, 40:], torch.tensor(-0.5), atol=1e-5)
    assert torch.allclose(shown[:, :, :40, 33:], torch.tensor(GREY), atol=1e-5)
