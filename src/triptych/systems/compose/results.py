"""The files of a composed portrait: pictures over their maps of regions, and a morph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from triptych.export.pictures import colour_picture, save_png
from triptych.export.sheets import picture_sheet
from triptych.export.video import save_video
from triptych.portrait import View
from triptych.progress import Step
from triptych.systems.compose.region_portrait import RegionPortrait
from triptych.systems.compose.regions import region_colours

VIEWS_FILE, MORPH_FILE = "views.png", "morph.mp4"
VIEW_YAWS_DEG = (-30.0, -15.0, 0.0, 15.0, 30.0)
FRAMES_PER_SECOND = 24
_SOLID = 0.5


def save_views(path: Path, portrait: RegionPortrait, size: int | None = None) -> None:
    """Save a sheet of five views: pictures above, their regions below."""
    camera = portrait.orbit(torch.deg2rad(torch.tensor(VIEW_YAWS_DEG)))
    view = portrait.render(camera.to(portrait.codes.device), size)
    pictures = [colour_picture(image) for image in view.image]
    save_png(path, picture_sheet([pictures, region_pictures(view)]))


def region_pictures(view: View) -> list[np.ndarray]:
    """Return the maps of regions of v views, uint8 [h, w, 3] each; black is the background."""
    assert view.regions is not None
    solid = torch.nn.functional.interpolate(view.alpha, size=view.regions.shape[-2:]) >= _SOLID
    colours = region_colours(view.regions) * solid
    return [picture.permute(1, 2, 0).cpu().numpy() for picture in colours]


def save_morph(
    path: Path,
    start: RegionPortrait,
    end: RegionPortrait,
    num_frames: int,
    size: int | None,
    step: Step,
) -> None:
    """Save a video in which the codes of one portrait become those of another.

    Args:
        path: File to be (.mp4).
        start: First frame.
        end: Last frame; of the same generator.
        num_frames: Frames, 2 or more.
        size: Side of the frames; the portrait's own by default.
        step: Called after each frame.
    """

    def frames() -> Iterator[np.ndarray]:
        for share in torch.linspace(0, 1, num_frames).tolist():
            between = replace(start, codes=start.codes.lerp(end.codes, share))
            yield colour_picture(between.render(size=size).image[0])
            step()

    save_video(path, frames(), fps=FRAMES_PER_SECOND)
