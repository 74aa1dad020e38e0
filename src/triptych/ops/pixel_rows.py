"""Feature maps as rows of pixels [h, w, c], in float32 or bfloat16."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def new_rows(height: int, width: int, channels: int, dtype: torch.dtype) -> Tensor:
    """Return uninitialised rows [h, w, c].

    Their memory is NumPy's, which asks the system for large pages: touching fresh memory takes a
    third of the time then.
    """
    kind = np.float32 if dtype == torch.float32 else np.int16
    return torch.from_numpy(np.empty((height, width, channels), kind)).view(dtype)


def rows_between(x: Tensor, start: int, stop: int) -> Tensor:
    """Return the rows start..stop of x [h, w, c], zeros beyond its edges."""
    above, below = max(-start, 0), max(stop - x.shape[0], 0)
    inside = x[max(start, 0) : stop]
    return F.pad(inside, (0, 0, 0, 0, above, below)) if above or below else inside


def convolve_rows(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Correlate rows [h, w, i] with a kernel [o, i, kh, kw], columns padded with zeros, rows not.

    Returns:
        Rows [h - kh + 1, w + 2 * padding - kw + 1, o].
    """
    if kernel.shape[2:] == (1, 1):  # F.conv2d would make a channels-first map of it, slowly
        return F.linear(x, kernel[:, :, 0, 0])
    result = F.conv2d(x.permute(2, 0, 1)[None], kernel, padding=(0, padding))
    return result[0].permute(1, 2, 0).contiguous()


def rows_array(rows: Tensor) -> np.ndarray:
    """Return rows as compiled kernels take them: float32, or bfloat16 as 16-bit integers."""
    return (rows if rows.dtype == torch.float32 else rows.view(torch.uint16)).numpy()
