"""Outlier views: found when they disagree, kept when only the view changes."""

from __future__ import annotations

import torch

from triptych.camera import grid_of_views
from triptych.systems.stylize.views import (
    consistent_views,
    inconsistency,
    view_statistics,
)


def _grid() -> torch.Tensor:
    return grid_of_views(5, 5).positions


def test_statistics_of_the_head_alone_by_hand():
    # The head covers the left half: reds 0 and 1 there, so mean 0.5 and deviation 0.5.
    image = torch.full((1, 3, 4, 4), 9.0)
    image[0, 0, :2, :2], image[0, 0, 2:, :2] = 0.0, 1.0
    image[0, 1:, :, :2] = -1.0
    alpha = torch.zeros(1, 1, 4, 4)
    alpha[..., :2] = 1.0
    mean, spread = view_statistics(image, alpha)[0, :6].split(3)
    torch.testing.assert_close(mean, torch.tensor([0.5, -1.0, -1.0]))
    torch.testing.assert_close(spread, torch.tensor([0.5, 0.0, 0.0]))


def test_one_bad_view_stands_out_and_its_neighbours_do_not():
    statistics = torch.randn(25, 8) * 0.05
    statistics[12] += 1.0
    scores = inconsistency(statistics, _grid())
    assert scores.argmax() == 12
    assert scores[12] > 5
    others = torch.cat([scores[:12], scores[13:]])
    assert others.max() < 2.5


def test_smooth_change_with_the_view_is_no_disagreement():
    # The border of the grid has neighbours on one side only.
    positions = _grid()
    scores = inconsistency(positions @ torch.randn(3, 8), positions)
    assert scores.max() < 2.0


def test_rounding_is_no_disagreement():
    statistics = torch.zeros(25, 8)
    statistics[7] += 1 / 255
    assert inconsistency(statistics, _grid()).max() < 1.0


def test_front_is_never_dropped():
    scores = torch.ones(20)
    scores[0], scores[5] = 100.0, 50.0
    kept = consistent_views(scores, ratio=2.5, largest_share=0.1)
    assert kept[0]
    assert not kept[5]
    assert kept.sum() == 19


def test_only_the_worst_share_is_dropped():
    scores = torch.ones(20)
    scores[3:9] = torch.tensor([5.0, 9.0, 6.0, 7.0, 8.0, 4.0])
    kept = consistent_views(scores, ratio=2.5, largest_share=0.1)
    assert (~kept).nonzero()[:, 0].tolist() == [4, 7]


def test_a_single_view_is_consistent_with_itself():
    assert inconsistency(torch.randn(1, 8), torch.randn(1, 3)).tolist() == [1.0]
