"""Figures that see sharpness, which PSNR punishes: gradients, and distances of crops of heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.metrics.perceptual import PerceptualDistance
from triptych.ops.resize import resize

DETAIL_SIZE = 256
"""Side in pixels of the pictures that are compared."""
CROP = 64
PARTS = {"eyes": 2, "mouth": 4, "hair": 7, "ears": 6}
"""Regions of avatars that show whether a head is sharp."""
DETAIL_MEASURES = (
    "gradient",
    *(f"gradient {part}" for part in PARTS),
    *(f"perceptual {part}" for part in PARTS),
)
# A region of fewer pixels, such as an ear that hair covers, says nothing.
_FEWEST_PIXELS = 40


def detail_figures(
    pred: Tensor, true: Tensor, regions: Tensor, distance: PerceptualDistance
) -> dict[str, Tensor]:
    """Return how sharp pictures of avatars are beside the true ones.

    Args:
        pred: Pictures [b, 3, h, h] in [-1, 1]; other sizes than that of `true` are resized.
        true: True pictures [b, 3, s, s] in [-1, 1], s = `DETAIL_SIZE`.
        regions: Their region maps [b, s, s]; 0 is the background.
        distance: Perceptual distance.

    Returns:
        Each of `DETAIL_MEASURES` [b]: "gradient", the gradient magnitude on the head relative to
        the truth's; for each of `PARTS` the same inside it, and the perceptual distance of the crop
        that holds most of it. Values are nan where a part is not seen.
    """
    pred = pred if pred.shape[-1] == true.shape[-1] else resize(pred, true.shape[-1]).clamp(-1, 1)
    figures = {"gradient": gradient_ratio(pred, true, regions > 0)}
    for part, region in PARTS.items():
        inside = regions == region
        seen = inside.sum(dim=(1, 2)) >= _FEWEST_PIXELS
        crops = (crop_round(pictures, inside, CROP) for pictures in (pred, true))
        found = {
            f"gradient {part}": gradient_ratio(pred, true, inside),
            f"perceptual {part}": distance(*crops),
        }
        nothing = torch.full(seen.shape, torch.nan, device=seen.device)
        figures |= {name: torch.where(seen, value, nothing) for name, value in found.items()}
    return figures


def gradient_ratio(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the sum of gradient magnitudes over a mask, relative to the target's.

    Args:
        image: Images [b, 3, h, w].
        target: What they should be, same shape.
        mask: Pixels that count [b, h, w], bool.

    Returns:
        Ratio [b]: 1 is as sharp as the target; nan where the target is flat.
    """
    weight = mask[:, :-1, :-1].to(image)
    sums = [(gradient_magnitude(picture) * weight).sum(dim=(1, 2)) for picture in (image, target)]
    return torch.where(sums[1] > 0, sums[0] / sums[1], torch.nan)


def gradient_magnitude(image: Tensor) -> Tensor:
    """Return the length of the step to the right and downwards [b, h-1, w-1], of [b, c, h, w]."""
    here = image[..., :-1, :-1]
    across, down = image[..., :-1, 1:] - here, image[..., 1:, :-1] - here
    return (across.square().mean(dim=1) + down.square().mean(dim=1)).sqrt()


def crop_round(image: Tensor, mask: Tensor, size: int) -> Tensor:
    """Return of each image the window that holds most of a mask.

    Args:
        image: Images [b, c, h, w].
        mask: What to look for [b, h, w], bool.
        size: Side of the windows.

    Returns:
        Windows [b, c, size, size].
    """
    covered = _window_sums(_window_sums(mask.int(), size, dim=1), size, dim=2)
    place = covered.flatten(1).argmax(dim=1)
    width = covered.shape[-1]
    steps = torch.arange(size, device=image.device)
    rows, columns = (place // width)[:, None] + steps, (place % width)[:, None] + steps
    number = torch.arange(len(image), device=image.device)[:, None, None]
    return image[number, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def _window_sums(counts: Tensor, size: int, dim: int) -> Tensor:
    """Return the sums of all windows of `size` neighbours along a dimension."""
    upto = F.pad(counts.movedim(dim, -1).cumsum(-1), (1, 0))
    return (upto[..., size:] - upto[..., :-size]).movedim(-1, dim)
