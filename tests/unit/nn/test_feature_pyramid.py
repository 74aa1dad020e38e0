"""The feature pyramid: which units it taps, how levels are merged."""

from __future__ import annotations

import torch
from torch import nn

from triptych.nn.feature_pyramid import feature_pyramid, merge_levels


def test_levels_are_merged_with_aligned_corners():
    coarser = torch.tensor([[[[0.0, 3.0], [0.0, 3.0]]]])
    merged = merge_levels(coarser, torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(merged[0, 0, 0], torch.tensor([1.0, 2.0, 3.0, 4.0]))


class _Halved(nn.Module):
    def __init__(self, added: float) -> None:
        super().__init__()
        self.added = added

    def forward(self, x):
        return x[..., ::2, ::2] + self.added


class _Added(_Halved):
    def forward(self, x):
        return x + self.added


def test_levels_end_at_the_last_unit_of_each_group():
    """Every unit adds a power of ten, so that a level tells which units it has passed."""
    units = (1, 2, 1, 1)
    body = nn.Sequential(_Halved(1), _Halved(10), _Added(100), _Halved(1e3), _Halved(1e4))
    lateral = (nn.Identity(), nn.Identity())
    coarse, middle, fine = feature_pyramid(torch.zeros(1, 1, 32, 32), body, units, lateral)
    assert [level.shape[-1] for level in (coarse, middle, fine)] == [2, 4, 8]
    assert float(coarse[0, 0, 0, 0]) == 11111
    assert float(middle[0, 0, 0, 0]) == 11111 + 1111
    assert float(fine[0, 0, 0, 0]) == 11111 + 1111 + 111
