"""Sharpness beside the truth: ramps, blur, and crops that find their part."""

from __future__ import annotations

import pytest
import torch

from triptych.metrics.detail import (
    CROP,
    DETAIL_MEASURES,
    DETAIL_SIZE,
    crop_round,
    detail_figures,
    gradient_magnitude,
    gradient_ratio,
)


def mean_difference(first, second):
    assert first.shape[-1] == second.shape[-1] == CROP
    return (first - second).abs().mean(dim=(1, 2, 3))


def test_the_gradient_of_a_ramp_is_its_slope():
    ramp = (0.03 * torch.arange(6.0) + 0.04 * torch.arange(5.0)[:, None]).expand(1, 3, 5, 6)
    assert torch.allclose(gradient_magnitude(ramp), torch.full((1, 4, 5), 0.05), atol=1e-6)


def test_half_the_contrast_has_half_the_gradient_and_only_the_mask_counts():
    target = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[:, 2:5, 2:5] = True
    image = 0.5 * target
    image[..., 6:, :] = 9.0
    assert gradient_ratio(image, target, mask).tolist() == pytest.approx([0.5, 0.5], rel=1e-5)
    assert gradient_ratio(image, torch.ones_like(target), mask).isnan().all()


def test_a_crop_holds_its_part():
    mask = torch.zeros(2, 32, 32, dtype=torch.bool)
    mask[0, 3, 4] = mask[1, 30, 20:24] = True
    rows = torch.arange(32.0)[:, None].expand(32, 32)
    image = torch.stack([rows, rows.T]).expand(2, 2, 32, 32)
    crops = crop_round(image, mask, 8)
    assert crops.shape == (2, 2, 8, 8)
    assert crops[0, 0].min() <= 3 <= crops[0, 0].max()
    assert crops[1, 1].min() <= 20
    assert crops[1, 1].max() >= 23


def test_figures_of_a_blurred_head():
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(1, 3, 32, 32, generator=generator) * 2 - 1
    true = small.repeat_interleave(8, 2).repeat_interleave(8, 3)
    regions = torch.ones(1, DETAIL_SIZE, DETAIL_SIZE, dtype=torch.long)
    regions[:, 60:100, 60:100] = 2
    figures = detail_figures(true, true, regions, mean_difference)
    assert set(figures) == set(DETAIL_MEASURES)
    assert float(figures["gradient"]) == 1
    assert float(figures["perceptual eyes"]) == 0
    assert figures["gradient ears"].isnan().all()
    assert figures["perceptual ears"].isnan().all()
    blurred = detail_figures(small, true, regions, mean_difference)
    assert float(blurred["gradient"]) < 0.8
    assert float(blurred["perceptual eyes"]) > 0.05
