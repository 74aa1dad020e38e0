"""The files that `triptych invert` leaves of a photo: pictures of every stage, and the portrait."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from triptych.camera import Camera
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.photos.photo import read_photo
from triptych.portrait import TriPlanePortrait
from triptych.runs.console import Progress
from triptych.runs.portrait_results import PORTRAIT_FILE, save_portrait_files
from triptych.systems.invert.pipeline import Inverted

CROP_FILE, STRIP_FILE, VIEWS_FILE = "aligned.png", "strip.png", "views.png"
_YAWS_DEG = (-40.0, -20.0, 0.0, 20.0, 40.0)
_PITCHES_DEG = (-20.0, -10.0, 0.0, 10.0, 20.0)
_SIDES_DEG = (-25.0, 0.0, 25.0)


def save_inversion(inverted: Inverted, folder: Path, progress: Progress) -> dict[str, float]:
    """Write everything but `run.json`.

    Returns:
        Seconds spent on each file, by name.
    """
    started = time.monotonic()
    crop = inverted.target.image if inverted.photo is None else inverted.photo.image
    save_png(folder / CROP_FILE, colour_picture(crop[0]))
    save_png(folder / STRIP_FILE, strip(inverted))
    save_png(folder / VIEWS_FILE, views_sheet(inverted))
    seconds = {"sheets": round(time.monotonic() - started, 2)}
    return seconds | save_portrait_files(inverted.portrait, folder, progress)


def strip(inverted: Inverted) -> np.ndarray:
    """Return the picture and the result of each stage, with the perceptual distance."""
    images = [inverted.target.image, *(stage.image for stage in inverted.stages)]
    labels = [f"{stage.name}: {stage.distances.perceptual:.3f}" for stage in inverted.stages]
    row = [colour_picture(image[0]) for image in images]
    return picture_sheet([row], column_labels=["picture", *labels])


def views_sheet(inverted: Inverted) -> np.ndarray:
    """Return the picture and the head from its camera, both mirrored too, then from all sides."""
    target, portrait = inverted.target, inverted.portrait
    size = max(int(target.image.shape[-1]), portrait.picture_size)
    (seen,), (behind,) = (
        view_pictures(portrait, camera, size)
        for camera in (target.camera, target.camera.mirrored())
    )
    picture, mirrored = (colour_picture(image[0]) for image in (target.image, target.mirrored))
    rows = [
        [picture, seen, mirrored, behind],
        view_pictures(portrait, turned(portrait, yaws_deg=_YAWS_DEG), size),
        view_pictures(portrait, turned(portrait, pitches_deg=_PITCHES_DEG), size),
    ]
    labels = [
        "the picture, the head from its camera; the same mirrored",
        "turned",
        "raised and lowered",
    ]
    return picture_sheet(rows, row_labels=labels)


def sheet_row(folder: Path) -> list[np.ndarray]:
    """Return the crop of finished results, then the head from the front and from both sides."""
    portrait = TriPlanePortrait.load(folder / PORTRAIT_FILE)
    heads = view_pictures(portrait, turned(portrait, yaws_deg=_SIDES_DEG))
    return [read_photo(folder / CROP_FILE).pixels, *heads]


def turned(
    portrait: TriPlanePortrait,
    *,
    yaws_deg: tuple[float, ...] = (0.0,),
    pitches_deg: tuple[float, ...] = (0.0,),
) -> Camera:
    """Return a portrait's cameras at yaws and pitches in degrees; one of the two may be a row."""
    yaws, pitches = torch.tensor(yaws_deg).deg2rad(), torch.tensor(pitches_deg).deg2rad()
    return portrait.config.view.camera(*torch.broadcast_tensors(yaws, pitches))
