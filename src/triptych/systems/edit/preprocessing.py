"""How photos and reference pictures are put before the encoder."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from triptych.systems.edit.encoder_config import Coordinates, PromptBranchConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def with_coordinates(image: Tensor, coordinates: Coordinates) -> Tensor:
    """Append the row and the column of every pixel to pictures [b, 3, h, w].

    Args:
        image: Pictures.
        coordinates: "pixels": 0, 1, 2, ... as published; "unit": from -1 to 1.

    Returns:
        Inputs [b, 5, h, w].
    """
    sides = []
    for size in image.shape[2:]:
        side = torch.arange(size, dtype=torch.float32, device=image.device)
        sides.append(side if coordinates == "pixels" else (2 * side + 1) / size - 1)
    placed = torch.stack(torch.meshgrid(*sides, indexing="ij")).to(image.dtype)
    return torch.cat([image, placed.expand(len(image), -1, -1, -1)], dim=1)


def reference_input(image: Tensor, config: PromptBranchConfig) -> Tensor:
    """Resize and normalise reference pictures for the prompt branch.

    Published weights were trained on pictures that are resized to 512 pixels first, then, as
    numbers and without antialiasing, to 224. The first step is for whoever reads the file.

    Args:
        image: Pictures [b, 3, h, w] in [-1, 1].
        config: Size, and whether the bicubic resizing is antialiased.

    Returns:
        Pictures [b, 3, s, s] in units of the ImageNet mean and deviation of each colour.
    """
    size = (config.image_size, config.image_size)
    shown = (image + 1) / 2
    if tuple(image.shape[2:]) != size:
        shown = functional.interpolate(
            shown, size=size, mode="bicubic", align_corners=False, antialias=config.antialias
        )
    mean = shown.new_tensor(IMAGENET_MEAN)[:, None, None]
    return (shown - mean) / shown.new_tensor(IMAGENET_STD)[:, None, None]
