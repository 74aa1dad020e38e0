"""Windows of heads: what is said to be true of them can be seen in them."""

from __future__ import annotations

import math

import pytest
import torch

from triptych.camera import FOCAL, look_at_camera
from triptych.nn.head_pose_network import HeadPose
from triptych.photos.detectors.window import Window
from triptych.training.augmentation import Augmentation
from triptych.training.landmarks.recipe import pose_terms
from triptych.training.landmarks.windows import (
    LandmarkImages,
    WindowRanges,
    _shuffled,
    draw_windows,
)
from triptych.training.random_backgrounds import random_backgrounds

SIZE, SOURCE, UNITS = 96, 128, 0.46
PLACES = torch.tensor([[0.0, 0.0, 0.2], [0.07, 0.03, 0.18], [-0.07, 0.03, 0.18]])
MIRRORED = (0, 2, 1)
STILL = Augmentation(zoom=0, shift=0, brightness=0, contrast=0, tint=0, blur=0, grain=0, blotches=0)
PLAIN = WindowRanges(empty=0.0, background=0.0, occluded=0.0)


def dots(count: int) -> LandmarkImages:
    """Pictures of three soft dark dots at known world places, seen from various sides."""
    yaw = torch.linspace(-0.6, 0.6, count, dtype=torch.float64)
    camera = look_at_camera(yaw, 0.2 * torch.sin(7 * yaw))
    pose = camera.cam2world
    seen = (PLACES - pose[:, None, :3, 3]) @ pose[:, :3, :3]
    places = FOCAL * seen[..., :2] / seen[..., 2:] + 0.5
    steps = (torch.arange(SOURCE) + 0.5) / SOURCE
    x = steps[None, None, None, :] - places[..., 0][..., None, None]
    y = steps[None, None, :, None] - places[..., 1][..., None, None]
    ink = torch.exp(-(x.square() + y.square()) / (2 * 0.012**2))  # [n, 3, s, s]
    image = 0.5 - 1.4 * ink  # each dot in a colour of its own
    alpha = torch.ones(count, 1, SOURCE, SOURCE)
    return LandmarkImages(image, alpha, PLACES.expand(count, 3, 3), pose)


def centroids(window: torch.Tensor) -> torch.Tensor:
    """Centres [n, 3, 2] of the darkness in each channel, in window widths from the middle."""
    middle = window.flatten(2).median(dim=2).values[..., None, None]
    ink = (middle - window).clamp(min=0)
    ink = torch.where(ink > 0.35 * ink.amax((2, 3), keepdim=True), ink, 0)
    steps = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    total = ink.sum((2, 3))
    x = (ink.sum(2) * steps).sum(2) / total
    y = (ink.sum(3) * steps).sum(2) / total
    return torch.stack([x, y], dim=2)


def draw(images, ranges=PLAIN, seed=0, light=STILL):
    generator = torch.Generator().manual_seed(seed)
    return draw_windows(images, SIZE, UNITS, MIRRORED, ranges, light, generator)


@pytest.fixture
def true_colours(monkeypatch):
    """Leave colours as they are."""
    monkeypatch.setattr(
        "triptych.training.landmarks.windows._recoloured", lambda window, generator: window
    )


@pytest.mark.usefixtures("true_colours")
def test_landmarks_are_where_the_dots_are():
    window, truth = draw(dots(64))
    inside = (truth.landmarks.abs() < 0.42).all(2)
    # a mirrored window swaps the two outer dots' names but not their colours
    found = centroids(window)
    direct = (found - truth.landmarks).norm(dim=2)
    swapped = (found[:, [0, 2, 1]] - truth.landmarks).norm(dim=2)
    error = torch.minimum(direct.amax(1), swapped.amax(1))[inside.all(1)]
    assert len(error) > 20
    assert error.quantile(0.9) < 0.015


def test_anchor_scale_and_rotation_say_the_same_as_the_landmarks():
    _, truth = draw(dots(64), seed=3)
    # weak perspective: anchor + scale * rotation of the offset from the anchor
    offset = PLACES - torch.tensor([0.0, 0.0, 0.2])
    scale = truth.log_scale.exp()[:, None, None]
    guess = truth.anchor[:, None] + scale * (offset @ truth.rotation[:, :2].transpose(1, 2))
    normal = (truth.landmarks - guess).norm(dim=2) / scale[..., 0]
    mirrored = (truth.landmarks[:, [0, 2, 1]] - guess).norm(dim=2) / scale[..., 0]
    assert torch.minimum(normal.amax(1), mirrored.amax(1)).max() < 0.004
    torch.testing.assert_close(torch.linalg.det(truth.rotation), torch.ones(64))


def test_near_windows_are_what_second_looks_see():
    ranges = WindowRanges(near=1.0, empty=0.0)
    _, truth = draw(dots(200), ranges)
    relative = truth.log_scale + math.log(UNITS)
    assert relative.abs().max() <= 0.15 + 1e-5
    assert truth.anchor.abs().max() < 0.1 + 1e-5
    roll = torch.atan2(truth.rotation[:, 0, 1], -truth.rotation[:, 1, 1])
    assert roll.abs().max() < 0.15 + 0.1


def test_rolls_agree_with_those_of_windows():
    # the network's roll and the window's roll must have one sense, or second looks turn away
    images = dots(1)
    ranges = WindowRanges(near=0.0, side=(1.0, 1.0), shift=0.0, roll=0.7, empty=0.0)
    for seed in range(6):
        _, truth = draw(images, ranges, seed=seed)
        roll = math.atan2(float(truth.rotation[0, 0, 1]), -float(truth.rotation[0, 1, 1]))
        upright = Window(0.0, 0.0, 1.0, roll).to_window(truth.landmarks[0].double().numpy())
        eyes = upright[2] - upright[1]
        assert abs(eyes[1]) < 0.25 * abs(eyes[0])


@pytest.mark.usefixtures("true_colours")
def test_empty_windows_show_no_head(monkeypatch):
    monkeypatch.setattr("triptych.training.landmarks.windows._SHUFFLED_SHARE", 0.0)
    window, truth = draw(dots(10), WindowRanges(empty=1.0, background=0.0, occluded=0.0))
    assert (truth.presence == 0).all()
    torch.testing.assert_close(window, torch.full_like(window, 0.5))


def test_some_empty_windows_show_shuffled_pieces():
    pictures = torch.rand(3, 3, SIZE, SIZE)
    shuffled = _shuffled(pictures, torch.Generator().manual_seed(0))
    assert not torch.equal(shuffled, pictures)
    torch.testing.assert_close(
        shuffled.flatten(2).sort(dim=2).values, pictures.flatten(2).sort(dim=2).values
    )


def test_backgrounds_lie_behind_the_head_only():
    images = dots(8)
    images = LandmarkImages(
        images.image, torch.zeros_like(images.alpha), images.landmarks, images.cam2world
    )
    ranges = WindowRanges(near=1.0, background=1.0, empty=0.0, occluded=0.0)
    plain, _ = draw(images, WindowRanges(near=1.0, background=0.0, empty=0.0, occluded=0.0))
    varied, _ = draw(images, ranges)
    assert (plain - varied).abs().mean() > 0.05


def test_the_same_seed_draws_the_same_windows():
    first, second = draw(dots(4), WindowRanges(), 5), draw(dots(4), WindowRanges(), 5)
    torch.testing.assert_close(first[0], second[0])
    torch.testing.assert_close(first[1].landmarks, second[1].landmarks)
    assert not torch.equal(first[0], draw(dots(4), WindowRanges(), 6)[0])


def test_random_backgrounds_differ_and_stay_in_range():
    backgrounds = random_backgrounds(30, SIZE, torch.Generator().manual_seed(0))
    assert backgrounds.shape == (30, 3, SIZE, SIZE)
    assert backgrounds.abs().max() <= 1
    assert backgrounds.mean((2, 3)).std(0).min() > 0.25


def pose(**changes) -> HeadPose:
    values = {
        "landmarks": torch.zeros(2, 3, 2),
        "anchor": torch.zeros(2, 2),
        "log_scale": torch.zeros(2),
        "rotation": torch.eye(3).expand(2, 3, 3),
        "presence": torch.ones(2),
    }
    return HeadPose(**{**values, **changes})


def test_terms_by_hand():
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    said = pose(
        landmarks=torch.full((2, 3, 2), 0.5),
        anchor=torch.full((2, 2), 0.25),
        log_scale=torch.tensor([0.1, 0.3]),
        rotation=turn.expand(2, 3, 3),
        presence=torch.zeros(2),
    )
    terms = pose_terms(said, pose())
    assert float(terms["landmarks"]) == pytest.approx(0.5)
    assert float(terms["anchor"]) == pytest.approx(0.25)
    assert float(terms["scale"]) == pytest.approx(0.2)
    assert float(terms["rotation"]) == pytest.approx(2.0, abs=1e-4)  # four entries differ by one
    assert float(terms["presence"]) == pytest.approx(math.log(2))


def test_windows_without_a_head_only_count_for_presence():
    wrong = torch.tensor([0.0, 9.0])[:, None].expand(2, 2)
    truth = pose(presence=torch.tensor([1.0, 0.0]))
    assert float(pose_terms(pose(anchor=wrong), truth)["anchor"]) == 0.0
    nothing = pose(presence=torch.zeros(2))
    assert float(pose_terms(pose(anchor=wrong), nothing)["anchor"]) == 0.0
