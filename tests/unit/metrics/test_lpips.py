"""The published LPIPS is one formula over the scaled features of either stack."""

from __future__ import annotations

import pytest
import torch
from public_lpips import STACKS, public_files
from torch import Tensor

from triptych.errors import UserError
from triptych.metrics.lpips import LpipsDistance


@pytest.mark.parametrize("stack", STACKS)
def test_distance_is_the_published_formula(stack):
    weights, heads = public_files(stack)
    distance = LpipsDistance.from_states(weights, heads, stack)
    first, second = torch.rand(2, 2, 3, 64, 64) * 2 - 1
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def imagenet(image: Tensor) -> Tensor:
        return ((image + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)

    expected = torch.zeros(2)
    found = [distance.network(imagenet(image)).values() for image in (first, second)]
    for index, (a, b) in enumerate(zip(*found, strict=True)):
        a, b = (x / x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-10) for x in (a, b))
        expected += ((a - b) ** 2 * heads[f"lin{index}.model.1.weight"]).sum(1).mean((1, 2))
    # LPIPS's scaling layer is ImageNet's normalisation, rounded to three digits.
    torch.testing.assert_close(distance(first, second), expected, rtol=2e-3, atol=1e-4)
    assert distance(first, first).tolist() == [0.0, 0.0]


def test_gradients_reach_the_image_and_nothing_else():
    distance = LpipsDistance.from_states(*public_files("alexnet"))
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    distance(image, torch.rand(1, 3, 64, 64)).sum().backward()
    assert float(image.grad.abs().sum()) > 0
    assert all(p.grad is None for p in distance.parameters())


def test_foreign_files_are_refused():
    weights, heads = public_files("alexnet")
    with pytest.raises(UserError, match="not a weight file of VGG16"):
        LpipsDistance.from_states(weights, heads, "vgg16")
    heads["lin3.model.1.weight"] = torch.zeros(1, 3, 1, 1)
    with pytest.raises(UserError, match=r"LPIPS v0.1 for alexnet: lin3.model.1.weight"):
        LpipsDistance.from_states(weights, heads)
