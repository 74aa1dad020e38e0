from __future__ import annotations

import pytest
import torch

from triptych.ops.sample_planes import sample_planes

SIZE = 16


def linear_planes(slopes):
    """Planes [1, 3, 1, n, n] whose value is slope_u * u + slope_v * v in box coordinates."""
    centres = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([a * u + b * v for a, b in slopes])[None, :, None]


@pytest.mark.parametrize("box_size", [1.0, 1.6])
@pytest.mark.parametrize(
    ("axes", "pairs"),
    [("legacy", [(0, 1), (0, 2), (2, 0)]), ("corrected", [(0, 1), (0, 2), (2, 1)])],
)
def test_linear_functions_are_reproduced(axes, pairs, box_size):
    slopes = [(1.0, -2.0), (0.5, 3.0), (-1.5, 0.25)]
    points = (torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(5)) - 0.5) * 0.9
    sampled = sample_planes(linear_planes(slopes), points * box_size, box_size=box_size, axes=axes)
    assert sampled.shape == (1, 3, 1, 50)
    for plane, ((u, v), (a, b)) in enumerate(zip(pairs, slopes, strict=True)):
        expected = a * points[0, :, u] + b * points[0, :, v]
        torch.testing.assert_close(sampled[0, plane, 0], expected, atol=1e-5, rtol=1e-5)


def test_legacy_axes_never_see_y_and_z_together():
    """Moving a point in y changes only the first plane, so nothing depends on (y, z)."""
    planes = torch.randn(1, 3, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(6))
    points = torch.tensor([[[0.1, 0.2, 0.3], [0.1, -0.2, 0.3]]])
    legacy = sample_planes(planes, points, box_size=1.0, axes="legacy")
    corrected = sample_planes(planes, points, box_size=1.0, axes="corrected")
    assert torch.equal(legacy[0, 1:, :, 0], legacy[0, 1:, :, 1])
    assert not torch.equal(corrected[0, 2, :, 0], corrected[0, 2, :, 1])


def test_outside_the_box_reads_zero():
    planes = torch.ones(1, 3, 1, SIZE, SIZE)
    points = torch.tensor([[[0.6, 0.6, 0.6], [0.0, 0.0, 0.0], [0.6, 0.0, 0.0]]])
    sampled = sample_planes(planes, points, box_size=1.0)[0, :, 0]
    assert sampled[:, 0].tolist() == [0, 0, 0]
    assert sampled[:, 1].tolist() == [1, 1, 1]
    assert sampled[:, 2].tolist() == [0, 0, 0]


def test_gradients_in_float64():
    rng = torch.Generator().manual_seed(7)
    planes = torch.randn(2, 3, 2, 5, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    points = torch.rand(2, 6, 3, generator=rng, dtype=torch.float64) - 0.5
    points.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, q: sample_planes(p, q, box_size=1.1, axes="corrected"), (planes, points)
    )
