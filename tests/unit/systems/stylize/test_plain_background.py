"""Clouds that an editor leaves far from the head do not become specks in space."""

from __future__ import annotations

import torch

from triptych.systems.stylize.rendered_batch import with_plain_background


def _one_pixel_head(size: int = 9) -> torch.Tensor:
    alpha = torch.zeros(1, 1, size, size)
    alpha[0, 0, 4, 4] = 1.0
    return alpha


def test_only_pixels_beyond_the_margin_are_painted():
    painted = with_plain_background(torch.zeros(1, 3, 9, 9), _one_pixel_head(), 2, 0.5)
    expected = torch.full((9, 9), 0.5)
    expected[2:7, 2:7] = 0.0
    assert torch.equal(painted, expected.expand(1, 3, 9, 9))


def test_without_a_margin_pictures_stay_as_they_are():
    images = torch.rand(1, 3, 9, 9)
    assert torch.equal(with_plain_background(images, _one_pixel_head(), None, 0.5), images)


def test_larger_pictures_are_painted_at_their_own_size():
    painted = with_plain_background(torch.zeros(1, 3, 18, 18), _one_pixel_head(), 2, 0.5)
    assert (painted[0, 0, 4:14, 4:14] == 0).all()
    assert int((painted[0, 0] == 0).sum()) == 100
