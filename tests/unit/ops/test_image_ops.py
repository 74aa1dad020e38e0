from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.ops.blur import halving_blur
from triptych.ops.colour import from_uint8, linear_from_srgb, to_uint8
from triptych.ops.resize import fit_size, resize, resize_bilinear


@pytest.mark.parametrize("mode", ["antialiased", "none", "classic"])
def test_resizing_keeps_constants(mode):
    flat = torch.full((1, 2, 16, 16), -0.3)
    for size in (8, 24):
        resized = resize(flat, size, filter_mode=mode)
        assert resized.shape == (1, 2, size, size)
        torch.testing.assert_close(
            resized[:, :, 3:-3, 3:-3], torch.full((1, 2, size - 6, size - 6), -0.3)
        )


def test_only_antialiasing_sees_every_pixel_when_shrinking():
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::4] = 1.0  # bilinear sampling at a quarter of the size falls between stripes
    assert resize(stripes, 8, filter_mode="none").max() == 0
    torch.testing.assert_close(
        resize(stripes, 8, filter_mode="antialiased").mean(), torch.tensor(0.25), atol=0.02, rtol=0
    )


def test_larger_images_are_averaged():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert fit_size(image, 2)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_smaller_images_are_interpolated():
    image = torch.tensor([[[[0.0, 4.0], [0.0, 4.0]]]])
    assert fit_size(image, 4)[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]


def test_images_of_the_right_size_are_left_alone():
    image = torch.rand(2, 3, 8, 8)
    assert fit_size(image, 8) is image
    assert resize(image, 8) is image
    assert resize_bilinear(image, (8, 8)) is image


def test_heights_and_widths_may_differ():
    ramp = torch.tensor([[[[0.0, 4.0]]]])
    assert resize_bilinear(ramp, (2, 4))[0, 0].tolist() == [[0.0, 1.0, 3.0, 4.0]] * 2


def test_linear_light_of_srgb():
    # Black, the end of the linear part, mid grey, white (IEC 61966-2-1).
    assert linear_from_srgb(np.array([0.0, 0.04, 0.5, 1.0])) == pytest.approx(
        [0.0, 0.04 / 12.92, 0.214041, 1.0], abs=1e-6
    )


def test_uint8_round_trip_is_exact():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    assert torch.equal(to_uint8(from_uint8(pixels)), pixels)


def test_rounding_goes_to_the_nearest_level_and_clips():
    levels = torch.tensor([-9.0, 0.0, 0.4, 0.6, 99.4, 99.6, 254.6, 255.0, 300.0])
    images = (levels / 127.5 - 1).reshape(1, 1, 1, -1)
    assert to_uint8(images).flatten().tolist() == [0, 0, 0, 1, 99, 100, 255, 255, 255]
    assert to_uint8(torch.tensor([0.0, 0.5]).reshape(1, 1, 1, 2)).flatten().tolist() == [128, 191]


def test_blur_halves_at_sigma_and_keeps_the_sum():
    dot = torch.zeros(1, 1, 31, 31)
    dot[0, 0, 15, 15] = 1
    blurred = halving_blur(dot, 4.0)[0, 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[15, 19] / blurred[15, 15] == pytest.approx(0.5, abs=1e-6)
    assert torch.equal(halving_blur(dot, 0.2), dot)
