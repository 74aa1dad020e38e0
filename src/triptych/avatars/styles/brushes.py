"""Building blocks of picture filters: blur, edges, strokes, grain and palettes.

Pictures are [n, c, h, w] in 0..1. Lengths are in pixels of a 128-pixel picture and grow with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_REFERENCE_SIZE = 128
_LUMA = (0.299, 0.587, 0.114)
_GRAIN_SEED = 20240

Colour = tuple[float, float, float]


def pixels_of(picture: Tensor, length: float) -> float:
    """Return a length given at 128 pixels in pixels of this picture."""
    return length * picture.shape[-2] / _REFERENCE_SIZE


def grey(picture: Tensor) -> Tensor:
    """Return the brightness [n, 1, h, w] of a colour picture (ITU-R BT.601 weights)."""
    weights = picture.new_tensor(_LUMA).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def blur(picture: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian; borders are repeated outwards."""
    spread = pixels_of(picture, sigma)
    reach = max(1, math.ceil(3.0 * spread))
    taps = torch.arange(-reach, reach + 1, dtype=picture.dtype, device=picture.device)
    taps = torch.exp(-0.5 * (taps / spread) ** 2)
    taps = taps / taps.sum()
    channels = picture.shape[1]
    across = taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(picture, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(
        F.conv2d(padded, across, groups=channels), across.transpose(2, 3), groups=channels
    )


def edges(brightness: Tensor, sigma: float, threshold: float) -> Tensor:
    """Return contour lines 0..1 [n, 1, h, w]: where a pixel is darker than its surroundings.

    A soft threshold on a difference of Gaussians draws lines on the dark side of an edge.

    Args:
        brightness: Grey picture [n, 1, h, w].
        sigma: Width of the lines.
        threshold: Difference at which a line appears.
    """
    darker = blur(brightness, 1.8 * sigma) - blur(brightness, sigma)
    return smooth_step(0.4 * threshold, 1.8 * threshold, darker)


def bilateral(picture: Tensor, radius: int, tolerance: float) -> Tensor:
    """Smooth within areas of like colour (Tomasi and Manduchi 1998).

    Args:
        picture: Colour picture.
        radius: Reach of the window.
        tolerance: Colour distance at which a neighbour counts for 0.6.
    """
    reach = max(1, round(pixels_of(picture, radius)))
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (reach,) * 4, mode="replicate")
    total = torch.zeros_like(picture)
    weight_sum = torch.zeros_like(picture[:, :1])
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            neighbour = padded[..., row : row + height, column : column + width]
            distance = (neighbour - picture).square().sum(1, keepdim=True)
            weight = torch.exp(-0.5 * distance / tolerance**2)
            total = total + weight * neighbour
            weight_sum = weight_sum + weight
    return total / weight_sum


def kuwahara(picture: Tensor, radius: int) -> Tensor:
    """Return for each pixel the mean of the quadrant with the least variance: brush-like patches.

    Reference: Kuwahara et al. 1976.
    """
    reach = max(1, round(pixels_of(picture, radius)))
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (reach,) * 4, mode="replicate")
    means = F.avg_pool2d(padded, reach + 1, stride=1)
    squares = F.avg_pool2d(padded**2, reach + 1, stride=1)
    variances = (squares - means**2).sum(1, keepdim=True)
    offsets = [(row, column) for row in (0, reach) for column in (0, reach)]
    quadrant_means = torch.stack(
        [means[..., r : r + height, c : c + width] for r, c in offsets]
    )  # [4, n, c, h, w]
    quadrant_variances = torch.stack(
        [variances[..., r : r + height, c : c + width] for r, c in offsets]
    )
    smoothest = quadrant_variances.argmin(0, keepdim=True).expand(1, *picture.shape)
    return quadrant_means.gather(0, smoothest)[0]


def brush_relief(picture: Tensor) -> Tensor:
    """Return ridges of thick paint [n, 1, h, w] in about -1..1, running along the shapes.

    Noise smeared along the contours of the picture, lit from the upper left.
    """
    # In almost flat areas the direction of a contour amplifies rounding errors: in float32 it would
    # depend on the batch size.
    brightness = blur(grey(picture).double(), 2.0)
    noise = grain(picture, 0.9)
    steps = torch.linspace(-4.0, 4.0, 9).tolist()
    along_x, along_y = (along.to(picture.dtype) for along in _tangents(brightness))
    smeared = torch.stack(
        [_shifted(noise, s * along_x, s * along_y, pixels_of(picture, 1.0)) for s in steps]
    ).mean(0)
    slope = smeared - torch.roll(smeared, (1, 1), dims=(2, 3))
    return (6.0 * slope).clamp(-1.0, 1.0)


def grain(picture: Tensor, sigma: float) -> Tensor:
    """Return noise [n, 1, h, w] with mean 0.5, spread about 0.25, lumps of width sigma.

    The same for every picture of one size, so that filtering is deterministic.
    """
    height, width = picture.shape[-2:]
    generator = torch.Generator().manual_seed(_GRAIN_SEED)
    noise = torch.randn(1, 1, height, width, generator=generator)
    noise = blur(noise.to(picture), sigma)
    noise = noise / noise.std().clamp_min(1e-6)
    return (0.5 + 0.25 * noise).clamp(0.0, 1.0).expand(picture.shape[0], -1, -1, -1)


def tinted(brightness: Tensor, paper: Colour) -> Tensor:
    """Return a grey drawing [n, 1, h, w] on paper of a colour [n, 3, h, w]."""
    return brightness * brightness.new_tensor(paper).view(1, 3, 1, 1)


def saturated(picture: Tensor, gain: float) -> Tensor:
    """Move colours away from grey by a factor."""
    brightness = grey(picture)
    return (brightness + gain * (picture - brightness)).clamp(0.0, 1.0)


def soft_steps(values: Tensor, levels: int, hardness: float = 14.0) -> Tensor:
    """Quantise 0..1 to steps with slightly soft risers."""
    scaled = values.clamp(0.0, 1.0) * levels
    floor = scaled.floor()
    return (floor + torch.sigmoid((scaled - floor - 0.5) * hardness)) / levels


def palette_ramp(tone: Tensor, palette: Sequence[Colour]) -> Tensor:
    """Colour tones 0..1 [n, 1, h, w] by linear interpolation in a palette, dark to light."""
    colours = tone.new_tensor(palette)
    position = tone.clamp(0.0, 1.0) * (len(palette) - 1)
    lower = position.floor().clamp_max(len(palette) - 2)
    share = position - lower
    index = lower.long()[:, 0]
    low, high = colours[index].movedim(-1, 1), colours[index + 1].movedim(-1, 1)
    return low + share * (high - low)


def palette_steps(tone: Tensor, palette: Sequence[Colour]) -> Tensor:
    """Colour tones 0..1 [n, 1, h, w] by flat areas of a palette with slightly soft borders."""
    last = len(palette) - 1
    return palette_ramp(soft_steps(tone, last, hardness=18.0), palette)


def smooth_step(low: float, high: float, values: Tensor) -> Tensor:
    """Return 0 below low, 1 above high and a smooth rise between."""
    share = ((values - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _tangents(brightness: Tensor) -> tuple[Tensor, Tensor]:
    """Return unit vectors along the contours of a grey picture, [n, 1, h, w] each."""
    padded = F.pad(brightness, (1, 1, 1, 1), mode="replicate")
    slope_x = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    slope_y = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    length = (slope_x**2 + slope_y**2).sqrt()
    flat = length < 1e-4
    safe = length.clamp_min(1e-4)
    along_x = torch.where(flat, torch.full_like(length, 0.7071), -slope_y / safe)
    along_y = torch.where(flat, torch.full_like(length, 0.7071), slope_x / safe)
    return along_x, along_y


def _shifted(values: Tensor, along_x: Tensor, along_y: Tensor, unit: float) -> Tensor:
    """Sample values at a pixelwise offset, given in units of so many pixels."""
    height, width = values.shape[-2:]
    rows = torch.arange(height, dtype=values.dtype, device=values.device).view(1, -1, 1)
    columns = torch.arange(width, dtype=values.dtype, device=values.device).view(1, 1, -1)
    x = columns + unit * along_x[:, 0]
    y = rows + unit * along_y[:, 0]
    grid = torch.stack([2.0 * (x + 0.5) / width - 1.0, 2.0 * (y + 0.5) / height - 1.0], dim=-1)
    return F.grid_sample(values, grid, padding_mode="border", align_corners=False)
