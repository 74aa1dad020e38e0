"""Whole pictures of a generator of attributes beside the renders of held-out heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.camera import Camera
from triptych.metrics.image_metrics import psnr
from triptych.ops.placement import device_of
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.region_shares import region_ious, region_map
from triptych.systems.compose.regions import AVATAR_ORDER, region_colours
from triptych.systems.compose.training.rendered_maps import true_picture, true_regions
from triptych.training.sheets import save_sheet


def measure_pictures(generator: Any, shards: ShardSet, heads: int) -> dict[str, float]:
    """Return PSNR and mean IoU of regions over the first views of held-out heads."""
    pictures, regions = _beside_truth(generator, shards, heads, views=(0,))
    ious = region_ious(regions[:, 1], regions[:, 0], len(AVATAR_ORDER))
    return {
        "psnr": round(float(psnr(pictures[:, 0], pictures[:, 1]).mean()), 3),
        "iou": round(sum(ious.values()) / len(ious), 3),
    }


def save_pictures(generator: Any, shards: ShardSet, path: Path) -> None:
    """Save a sheet of two heads: per row truth and picture, then the regions of both."""
    pictures, regions = _beside_truth(generator, shards, heads=2, views=(0, 2))
    maps = torch.nn.functional.one_hot(regions, len(AVATAR_ORDER)).movedim(-1, 2)
    coloured = torch.stack([region_colours(pair) for pair in maps]) / 127.5 - 1
    save_sheet(list(torch.cat([pictures, coloured], dim=1)), path)


def _beside_truth(
    generator: Any, shards: ShardSet, heads: int, views: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return true and generated pictures [n, 2, 3, h, w] and regions [n, 2, h, w]."""
    device = device_of(generator)
    pictures, regions = [], []
    for head in range(min(heads, len(shards))):
        attributes = torch.from_numpy(np.array(shards.get("attributes", head)))[None]
        codes = generator.codes_of_attributes(attributes.to(device))
        for view in views:
            cam2world = torch.from_numpy(np.array(shards.get("cam2world", head)[view]))[None]
            camera = Camera.with_focal(cam2world).to(device)
            portrait = RegionPortrait(generator, codes, generator.shared_decoder_code(), camera)
            made = portrait.render(size=shards.size)
            pictures.append(torch.stack([true_picture(shards, head, view), made.image[0].cpu()]))
            pred = region_map(made)[0].cpu()
            regions.append(torch.stack([true_regions(shards, head, view), pred]))
    return torch.stack(pictures), torch.stack(regions)
