"""Augmentation: what it must leave alone and what it must move together."""

from __future__ import annotations

from dataclasses import replace

import torch

from triptych.training.augmentation import Augmentation

NONE = Augmentation().wider(0.0)


def _head(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """A white square on the background, and the same square as region 3."""
    image = torch.full((count, 3, 64, 64), 0.5)
    regions = torch.zeros(count, 64, 64, dtype=torch.long)
    image[:, :, 20:44, 16:40] = 1.0
    regions[:, 20:44, 16:40] = 3
    return image, regions


def test_factor_zero_changes_nothing() -> None:
    image, regions = _head()
    changed, moved = NONE(image, regions, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed, image)
    assert torch.equal(moved, regions)


def test_regions_move_with_the_picture() -> None:
    image, regions = _head(8)
    only_moves = replace(NONE, zoom=0.2, shift=0.15)
    changed, moved = only_moves(image, regions, torch.Generator().manual_seed(1))
    white = changed[:, 0] > 0.75
    disagree = (white != (moved == 3)).float().mean()
    assert float(disagree) < 0.02
    assert not torch.equal(moved, regions)


def test_outside_is_background() -> None:
    image, regions = _head(16)
    changed, _ = replace(NONE, zoom=0.5)(image, regions, torch.Generator().manual_seed(2))
    torch.testing.assert_close(changed[:, :, 0, 0], torch.full((16, 3), 0.5))


def test_each_change_alone_does_what_its_name_says() -> None:
    image, regions = _head(4)
    seed = 5

    def changed(**ranges: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return replace(NONE, **ranges)(image * 0.5, regions, generator)[0] - image * 0.5

    brightness = changed(brightness=0.2)
    assert float(brightness.std(dim=(1, 2, 3)).max()) < 1e-6
    assert float(brightness.abs().max()) > 0.01
    tint = changed(tint=0.2)[..., 0, 0]
    assert float(tint.std(dim=1).max()) > 1e-3
    blur = changed(blur=1.5)
    assert float(blur[:, :, :8, :8].abs().max()) < 1e-5
    assert float(blur[:, :, 18:22, 30].abs().max()) > 0.01
    grain, blotches = changed(grain=0.1), changed(blotches=0.1)
    for noise in (grain, blotches):
        assert abs(float(noise.mean())) < 0.01 < float(noise.std())
    step = (grain[..., 1:] - grain[..., :-1]).std() / grain.std()
    smooth_step = (blotches[..., 1:] - blotches[..., :-1]).std() / blotches.std()
    assert float(smooth_step) < 0.6 * float(step)


def test_same_seed_same_changes_and_range_is_kept() -> None:
    image, regions = _head()
    wide = Augmentation().wider(3.0)
    first, _ = wide(image, regions, torch.Generator().manual_seed(7))
    second, _ = wide(image, regions, torch.Generator().manual_seed(7))
    other, _ = wide(image, regions, torch.Generator().manual_seed(8))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert float(first.abs().max()) <= 1.0
