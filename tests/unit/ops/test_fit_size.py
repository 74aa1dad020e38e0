"""Pictures at the side a network expects."""

from __future__ import annotations

import torch

from triptych.ops.fit_size import fit_size


def test_larger_pictures_are_averaged():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert fit_size(image, 2)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_smaller_pictures_are_enlarged_smoothly():
    image = torch.tensor([[[[0.0, 4.0], [0.0, 4.0]]]])
    assert fit_size(image, 4)[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]


def test_pictures_of_the_right_size_are_left_alone():
    image = torch.rand(2, 3, 8, 8)
    assert fit_size(image, 8) is image
