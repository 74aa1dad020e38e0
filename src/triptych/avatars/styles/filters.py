"""Picture filters: pencil, oil, sand and others.

Every filter takes images [n, 3, h, w] in [-1, 1] and returns the same shape, is deterministic, and
keeps the plain light-grey background (0.5): a radiance field has one fixed background and would
learn any other as a surface around the head. Lengths are in pixels of a 128-pixel picture and scale
with the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.avatars.styles.brushes import (
    bilateral,
    blur,
    brush_relief,
    edges,
    grain,
    grey,
    kuwahara,
    palette_ramp,
    palette_steps,
    pixels_of,
    saturated,
    smooth_step,
    soft_steps,
    tinted,
)
from triptych.errors import UserError

BACKGROUND = 0.5
_BACKGROUND_TOLERANCE = 0.02

# sRGB 0..1, dark to light.
_POP_PALETTE = ((0.13, 0.05, 0.42), (0.90, 0.08, 0.45), (0.99, 0.52, 0.08), (1.00, 0.91, 0.20))
_SAND_PALETTE = ((0.30, 0.17, 0.07), (0.60, 0.38, 0.16), (0.83, 0.62, 0.32), (0.96, 0.85, 0.60))
_SEPIA_PALETTE = ((0.13, 0.07, 0.03), (0.50, 0.34, 0.19), (0.78, 0.62, 0.42), (0.97, 0.90, 0.74))

Filter = Callable[[Tensor], Tensor]


def apply_filter(name: str, images: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Filter the heads in images and keep the plain background.

    Args:
        name: One of FILTERS.
        images: [n, 3, h, w] in [-1, 1] over the background 0.5.
        alpha: Opacity of the heads [n, 1, h, w] in 0..1; estimated from the images when None.

    Returns:
        Filtered images [n, 3, h, w] in [-1, 1].

    Raises:
        UserError: The filter is unknown or the images have another shape.
    """
    if name not in FILTERS:
        raise UserError(f"picture filter: got '{name}'; expected one of {', '.join(FILTERS)}")
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(f"images: got shape {list(images.shape)}; expected [n, 3, h, w]")
    cover = 1.0 - plain_background(images) if alpha is None else alpha
    picture = ((images + 1.0) / 2.0).clamp(0.0, 1.0)
    filtered = FILTERS[name](picture).clamp(0.0, 1.0) * 2.0 - 1.0
    return cover * filtered + (1.0 - cover) * BACKGROUND


def filter_pixels(name: str, pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Filter one 8-bit picture [h, w, 3] with its opacity [h, w] in 0..1; see `apply_filter`."""
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    cover = torch.from_numpy(np.asarray(alpha, np.float32))[None, None]
    filtered = apply_filter(name, image, cover)[0].permute(1, 2, 0)
    return ((filtered + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def plain_background(images: Tensor) -> Tensor:
    """Return 1 where a pixel is background grey and connected with the border [n, 1, h, w]."""
    distance = (images - BACKGROUND).abs().amax(1, keepdim=True)
    plain = (distance < _BACKGROUND_TOLERANCE).to(images.dtype)
    seeds = torch.zeros_like(plain)
    for edge in (seeds[..., 0, :], seeds[..., -1, :], seeds[..., 0], seeds[..., -1]):
        edge.fill_(1.0)
    reached = seeds * plain
    while True:
        grown = F.max_pool2d(reached, 3, stride=1, padding=1) * plain
        if torch.equal(grown, reached):
            return reached
        reached = grown


def _pencil(picture: Tensor) -> Tensor:
    """Colour dodge of the grey picture by its blurred negative, with light tonal shading."""
    brightness = grey(picture)
    lines = (brightness / blur(brightness, 2.2).clamp_min(0.02)).clamp(0.0, 1.0) ** 2.6
    tone = 0.62 + 0.38 * smooth_step(0.05, 0.55, blur(brightness, 0.8))
    contours = 1.0 - 0.75 * edges(brightness, 0.9, 0.012)
    return tinted(0.98 * lines * tone * contours, (1.0, 0.99, 0.97))


def _charcoal(picture: Tensor) -> Tensor:
    """Smudged black masses, bare paper in the lights, broad dark contours and rough grain."""
    brightness = grey(picture)
    masses = smooth_step(0.22, 0.80, blur(_emphasised(brightness, 1.2), 0.9))
    contours = 1.0 - 0.9 * edges(blur(brightness, 0.5), 1.2, 0.020)
    gaps = 0.34 * (1.0 - masses) * grain(picture, 0.8)
    return tinted((0.06 + 0.90 * masses) * contours + gaps * contours, (0.98, 0.97, 0.95))


def _black_and_white(picture: Tensor) -> Tensor:
    return smooth_step(0.05, 1.05, grey(picture)).expand_as(picture)


def _sepia(picture: Tensor) -> Tensor:
    return palette_ramp(1.25 * grey(picture) - 0.10, _SEPIA_PALETTE)


def _cartoon(picture: Tensor) -> Tensor:
    """Flat saturated areas between dark outlines."""
    flat = picture
    for _ in range(3):
        flat = bilateral(flat, 2, 0.16)
    light = flat.amax(1, keepdim=True)
    steps = soft_steps(light, 5)
    flat = saturated(flat * steps / light.clamp_min(0.03), 1.45)
    ink = edges(grey(blur(picture, 0.5)), 1.1, 0.018)
    return flat * (1.0 - 0.92 * ink)


def _oil(picture: Tensor) -> Tensor:
    """Kuwahara patches as brush strokes, saturated, with light on the ridges of the paint."""
    strokes = saturated(kuwahara(picture, 2), 1.4)
    lines = 1.0 - 0.45 * edges(grey(picture), 0.8, 0.02)
    rich = (0.5 + 1.3 * (strokes - 0.48)) * lines
    return rich * (1.0 + 0.07 * brush_relief(picture))


def _watercolour(picture: Tensor) -> Tensor:
    """Pale washes with pigment gathered at their edges, paper showing through, thin ink lines."""
    wash = kuwahara(bilateral(picture, 2, 0.15), 2)
    pigment = 1.0 - saturated(wash, 2.0)
    blooms = 0.40 + 0.85 * grain(picture, 5.0)
    pools = 1.0 + 0.9 * edges(grey(wash), 0.9, 0.015)
    ink = 1.0 - 0.55 * edges(grey(picture), 0.6, 0.022)
    return (1.0 - 0.72 * pigment * blooms * pools) * ink


def _pop_art(picture: Tensor) -> Tensor:
    """Four flat poster colours by brightness."""
    brightness = blur(grey(bilateral(picture, 2, 0.2)), 0.6)
    return palette_steps(smooth_step(0.02, 0.95, _emphasised(brightness, 1.4)), _POP_PALETTE)


def _pixel_art(picture: Tensor) -> Tensor:
    """Large square pixels of few saturated colours, dark lines kept."""
    height, width = picture.shape[-2:]
    block = max(2, round(pixels_of(picture, 4.0)))
    rows, columns = max(1, height // block), max(1, width // block)
    inked = saturated(picture, 1.6) * (1.0 - 0.7 * edges(grey(picture), 1.2, 0.02))
    small = F.adaptive_avg_pool2d(inked, (rows, columns))
    contrast = 0.5 + 1.25 * (small - 0.47)
    light = contrast.clamp(0.0, 1.0).amax(1, keepdim=True)
    few = (light * 5.0).round() / 5.0
    hue = (contrast.clamp(0.0, 1.0) / light.clamp_min(0.05) * 4.0).round() / 4.0
    return F.interpolate(few * hue, size=(height, width), mode="nearest")


def _sand(picture: Tensor) -> Tensor:
    """Heaps of sand in four shades, grain by grain."""
    brightness = blur(grey(picture), 0.8)
    tone = smooth_step(0.02, 1.0, _emphasised(brightness, 1.3))
    scatter = 0.15 * (grain(picture, 0.45) - 0.5)
    heaps = palette_steps((tone + scatter).clamp(0.0, 1.0), _SAND_PALETTE)
    return heaps * (0.86 + 0.28 * grain(picture, 0.35))


def _emphasised(brightness: Tensor, gain: float) -> Tensor:
    """Strengthen the features of a face against its mean tone, so that few tones show them."""
    return brightness + gain * (brightness - blur(brightness, 7.0))


FILTERS: dict[str, Filter] = {
    "pencil": _pencil,
    "charcoal": _charcoal,
    "black_and_white": _black_and_white,
    "sepia": _sepia,
    "cartoon": _cartoon,
    "oil": _oil,
    "watercolour": _watercolour,
    "pop_art": _pop_art,
    "pixel_art": _pixel_art,
    "sand": _sand,
}
