from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from triptych.ops.pixel_rows import convolve_rows, new_rows, rows_array, rows_between


def rows(height: int, width: int, channels: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    return torch.randn(height, width, channels, generator=rng)


def test_rows_beyond_the_edges_are_zeros():
    x = rows(3, 2, 1)
    assert torch.equal(rows_between(x, 1, 3), x[1:3])
    around = rows_between(x, -2, 4)
    assert torch.equal(around[2:5], x)
    assert not around[:2].any()
    assert not around[5:].any()


@pytest.mark.parametrize(("size", "padding"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)])
def test_convolving_rows_is_convolving_a_map(size, padding):
    x, kernel = rows(7, 5, 4), rows(6, 4, size * size).unflatten(2, (size, size))
    expected = F.conv2d(x.permute(2, 0, 1)[None], kernel, padding=(0, padding))
    result = convolve_rows(x, kernel, padding)
    torch.testing.assert_close(result, expected[0].permute(1, 2, 0), rtol=0, atol=1e-5)
    assert result.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_arrays_share_the_memory_of_rows(dtype):
    made = new_rows(2, 3, 4, dtype)
    assert made.shape == (2, 3, 4)
    assert made.dtype == dtype
    made[:] = 1
    array = rows_array(made)
    array[0, 0, 0] = 0
    assert float(made[0, 0, 0]) == 0
    assert float(made[1, 2, 3]) == 1
