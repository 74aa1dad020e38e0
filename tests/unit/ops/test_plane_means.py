"""The compiled mean of planes and its gradient, against grid_sample."""

from __future__ import annotations

import pytest
import torch

from triptych.ops.plane_means import plane_means
from triptych.ops.sample_planes import sample_planes


def _case(batch: int = 2, size: int = 7, channels: int = 5, number: int = 60):
    draws = torch.Generator().manual_seed(0)
    planes = torch.randn(batch, 3, channels, size, size, generator=draws).requires_grad_()
    # Some points lie outside the box of side 1.4, some far away.
    points = torch.randn(batch, number, 3, generator=draws) * 0.6
    points[:, :3] *= 1e6
    return planes, points, torch.randn(batch, number, channels, generator=draws)


def _read_exactly(planes, points, axes):
    sampled = sample_planes(planes, points, box_size=1.4, axes=axes)
    return (sampled.sum(dim=1) / 3).transpose(1, 2)


@pytest.mark.parametrize("axes", ["legacy", "corrected"])
def test_values_and_gradients_are_those_of_grid_sample(axes):
    planes, points, weights = _case()
    exact = _read_exactly(planes, points, axes)
    (expected,) = torch.autograd.grad((exact * weights).sum(), planes)
    made = plane_means(planes, points, box_size=1.4, axes=axes)
    (gradient,) = torch.autograd.grad((made * weights).sum(), planes)
    torch.testing.assert_close(made, exact, atol=2e-6, rtol=0)
    torch.testing.assert_close(gradient, expected, atol=2e-6, rtol=0)


def test_a_point_between_two_pixels_reads_their_mean_and_teaches_both_alike():
    planes = torch.zeros(1, 3, 1, 4, 4)
    planes[0, 0, 0, 1, 1:3] = torch.tensor([3.0, 9.0])
    planes.requires_grad_()
    # x = 0 lies between columns 1 and 2; y = -0.25 is the centre of row 1 of a box of side 2.
    point = torch.tensor([[[0.0, -0.25, 5.0]]])
    made = plane_means(planes, point, box_size=2.0, axes="legacy")
    assert float(made.detach()) == pytest.approx((3 + 9) / 2 / 3)
    made.sum().backward()
    assert planes.grad is not None
    expected = torch.zeros(4, 4)
    expected[1, 1:3] = 0.5 / 3
    torch.testing.assert_close(planes.grad[0, 0, 0], expected)
    assert planes.grad[0, 1:].abs().sum() == 0


def test_half_precision_planes_get_gradients_of_their_kind():
    planes, points, weights = _case()
    half = planes.detach().bfloat16().requires_grad_()
    made = plane_means(half, points, box_size=1.4, axes="corrected")
    assert made.dtype == torch.float32
    (gradient,) = torch.autograd.grad((made * weights).sum(), half)
    assert gradient.dtype == torch.bfloat16
    assert gradient.shape == half.shape


def test_threads_change_nothing():
    planes, points, weights = _case(batch=1, number=9000)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            made = plane_means(planes, points, box_size=1.4, axes="legacy")
            (gradient,) = torch.autograd.grad((made * weights).sum(), planes)
            results.append((made.detach(), gradient))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_it_is_differentiable_once_and_says_so():
    planes, points, _ = _case()
    made = plane_means(planes, points, box_size=1.4, axes="legacy")
    (gradient,) = torch.autograd.grad(made.square().sum(), planes, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
