"""Metrics on images whose figures can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from triptych.metrics.identity import identity_kept
from triptych.metrics.image_metrics import (
    HIGHEST_PSNR,
    iou,
    masked_psnr,
    psnr,
    psnr_from_mse,
    sharpness,
)
from triptych.metrics.style_classifier import style_probability, style_recognised


def test_psnr_of_a_constant_difference() -> None:
    # The range is 2, so a difference of 0.2 everywhere is a tenth of it: 20 dB.
    image = torch.zeros(2, 3, 4, 4)
    target = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.02)])
    torch.testing.assert_close(psnr(image, target), torch.tensor([20.0, 40.0]))
    assert psnr(image, image).tolist() == [HIGHEST_PSNR] * 2
    # On [0, 1] the same images differ by 0.1: 10 log10(1 / 0.01).
    assert float(psnr_from_mse(torch.tensor(0.01), peak_to_peak=1.0)) == pytest.approx(20.0)


def test_masked_psnr_looks_inside_the_mask_only() -> None:
    image, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    target[..., 0, 0] = 0.2
    target[..., 1, 1] = 2.0
    mask = torch.zeros(1, 1, 2, 2)
    mask[..., 0, 0] = 1
    torch.testing.assert_close(masked_psnr(image, target, mask), torch.tensor([20.0]))
    mask[..., 0, 1] = 1  # one of two pixels is right: the mean error halves, 3.01 dB more
    expected = 20 + 10 * math.log10(2)
    torch.testing.assert_close(masked_psnr(image, target, mask), torch.tensor([expected]))
    assert bool(masked_psnr(image, target, torch.zeros(1, 1, 2, 2)).isnan())


def test_iou_counts_pixels() -> None:
    first, second = torch.zeros(2, 1, 2, 4), torch.zeros(2, 1, 2, 4)
    first[0, :, :, :2] = 1.0  # 4 pixels
    second[0, :, :, 1:3] = 0.6  # 4 pixels, 2 shared: 2 / 6
    torch.testing.assert_close(iou(first, second), torch.tensor([1 / 3, 1.0]))


def test_sharpness_of_a_step() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[..., 2:] = 1.0
    # One of three neighbour pairs across differs by 1, none down: (1/3 + 0) / 2.
    torch.testing.assert_close(sharpness(image), torch.tensor([1 / 6]))


class _RedOrBlue:
    """Calls an image by its stronger channel."""

    names = ("red", "blue")

    def probabilities(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))[:, [0, 2]].softmax(dim=1)


def _plain(*colour: float) -> Tensor:
    return torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 4, 4)


def test_identity_is_kept_when_the_source_is_nearer() -> None:
    edited = torch.tensor([[0.8, 0.6]])
    near, far = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert identity_kept(edited, source=near, other=far).tolist() == [True]
    assert identity_kept(edited, source=far, other=near).tolist() == [False]


def test_style_recognition_and_probability() -> None:
    images = torch.cat([_plain(1, 0, 0), _plain(0, 0, 1)])
    assert style_recognised(_RedOrBlue(), images, "red").tolist() == [True, False]
    expected = math.e / (math.e + 1)
    assert style_probability(_RedOrBlue(), images, "red")[0].item() == pytest.approx(expected)
