from __future__ import annotations

import pytest
import torch

from triptych.ops.upfirdn2d import downsample2d, fir_kernel, upfirdn2d, upsample2d


def upfirdn_by_loops(x, kernel, up, down, padding, gain):
    """The definition, one output pixel at a time."""
    batch, channels, height, width = x.shape
    left, right, top, bottom = padding
    tall, wide = height * up + top + bottom, width * up + left + right
    canvas = torch.zeros(batch, channels, tall, wide)
    for row in range(height):
        for column in range(width):
            y, z = row * up + top, column * up + left
            if 0 <= y < tall and 0 <= z < wide:
                canvas[:, :, y, z] = x[:, :, row, column]
    kernel_height, kernel_width = kernel.shape
    out_height = (tall - kernel_height) // down + 1
    out_width = (wide - kernel_width) // down + 1
    out = torch.zeros(batch, channels, out_height, out_width)
    for row in range(out_height):
        for column in range(out_width):
            for i in range(kernel_height):
                for j in range(kernel_width):
                    weight = kernel[kernel_height - 1 - i, kernel_width - 1 - j]
                    out[:, :, row, column] += (
                        weight * canvas[:, :, row * down + i, column * down + j]
                    )
    return out * gain


@pytest.mark.parametrize(
    ("up", "down", "padding"),
    [
        (1, 1, (0, 0, 0, 0)),
        (2, 1, (2, 1, 2, 1)),
        (1, 2, (1, 1, 1, 1)),
        (3, 2, (0, 3, 1, 2)),
        (2, 1, (3, -1, -1, 2)),
    ],
)
def test_equals_explicit_loops(up, down, padding):
    rng = torch.Generator().manual_seed(2)
    x = torch.randn(2, 3, 5, 6, generator=rng)
    kernel = torch.rand(3, 4, generator=rng)  # asymmetric, so that flipping shows
    result = upfirdn2d(x, kernel, up=up, down=down, padding=padding, gain=1.7)
    torch.testing.assert_close(result, upfirdn_by_loops(x, kernel, up, down, padding, 1.7))


def test_kernel_is_the_normalised_outer_product():
    kernel = fir_kernel((1, 3, 3, 1))
    assert kernel.shape == (4, 4)
    assert kernel.sum() == 1
    assert kernel[1, 2] == pytest.approx(9 / 64)


@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 1)])
def test_resampling_keeps_constants_and_sizes(taps):
    kernel = fir_kernel(taps)
    flat = torch.full((1, 2, 8, 8), 0.7)
    larger, smaller = upsample2d(flat, kernel), downsample2d(flat, kernel)
    assert larger.shape[2:] == (16, 16)
    assert smaller.shape[2:] == (4, 4)
    torch.testing.assert_close(larger[:, :, 2:-2, 2:-2], torch.full((1, 2, 12, 12), 0.7))
    torch.testing.assert_close(smaller[:, :, 1:-1, 1:-1], torch.full((1, 2, 2, 2), 0.7))


def test_box_filter_copies_and_averages():
    kernel = fir_kernel((1, 1))
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert upsample2d(x, kernel)[0, 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]
    assert downsample2d(x, kernel).item() == 1.5


def test_upsampling_keeps_a_ramp_aligned():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    larger = upsample2d(ramp, fir_kernel((1, 3, 3, 1)))[0, 0, 8, 2:-2]
    torch.testing.assert_close(larger, (torch.arange(2, 14) - 0.5) / 2)
