"""Up-sample by zero insertion, filter with a short FIR kernel, down-sample by dropping pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = tuple[int, int, int, int]


def fir_kernel(taps: Sequence[float]) -> Tensor:
    """Return the separable kernel [t, t] with the given taps, normalised to sum 1."""
    line = torch.tensor(list(taps), dtype=torch.float32)
    kernel = torch.outer(line, line)
    return kernel / kernel.sum()


def upfirdn2d(
    x: Tensor,
    kernel: Tensor,
    *,
    up: int = 1,
    down: int = 1,
    padding: Padding = (0, 0, 0, 0),
    gain: float = 1.0,
) -> Tensor:
    """Insert zeros, pad, convolve, keep every `down`-th pixel.

    Args:
        x: Images [b, c, h, w].
        kernel: FIR kernel [kh, kw]; a true convolution, so it is flipped before correlation.
        up: Every pixel is followed by up - 1 zeros, in both directions.
        down: Pixels kept after filtering: every `down`-th, starting with the first.
        padding: Zeros added (left, right, top, bottom) after zero insertion; negative values crop.
        gain: Scale of the result; up * up keeps the brightness of an up-sampled image.

    Returns:
        Images [b, c, (h * up + top + bottom - kh) // down + 1, likewise w].

    Reference: Karras et al., StyleGAN2 (2020), appendix B.
    """
    channels = x.shape[1]
    if up > 1:
        x = _insert_zeros(x, up)
    x = F.pad(x, padding) if any(padding) else x
    correlation = (kernel * gain).flip([0, 1]).to(x.dtype)
    weight = correlation[None, None].expand(channels, 1, -1, -1)
    return F.conv2d(x, weight, stride=down, groups=channels)


def upsample2d(x: Tensor, kernel: Tensor, up: int = 2) -> Tensor:
    """Up-sample images [b, c, h, w] by an integer factor, keeping brightness and alignment."""
    before, after = (kernel.shape[0] + up - 1) // 2, (kernel.shape[0] - up) // 2
    padding = (before, after, before, after)
    return upfirdn2d(x, kernel, up=up, padding=padding, gain=up * up)


def downsample2d(x: Tensor, kernel: Tensor, down: int = 2, crop: int = 0) -> Tensor:
    """Down-sample images [b, c, h, w] by an integer factor.

    Args:
        x: Images [b, c, h, w].
        kernel: FIR kernel [t, t].
        down: Factor.
        crop: Input pixels cropped on every side.
    """
    before = (kernel.shape[0] - down + 1) // 2 - crop
    after = (kernel.shape[0] - down) // 2 - crop
    return upfirdn2d(x, kernel, down=down, padding=(before, after, before, after))


def _insert_zeros(x: Tensor, up: int) -> Tensor:
    batch, channels, height, width = x.shape
    spread = x.new_zeros(batch, channels, height, up, width, up)
    spread[:, :, :, 0, :, 0] = x
    return spread.reshape(batch, channels, height * up, width * up)
