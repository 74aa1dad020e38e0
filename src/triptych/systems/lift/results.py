"""The files that `triptych lift` leaves of a photo: portrait, video, mesh, sheet and confidence."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from triptych.camera import Camera
from triptych.export.mesh import RESOLUTION
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.photos.photo import read_photo
from triptych.portrait import Portrait
from triptych.progress import Progress
from triptych.runs.portrait_results import PORTRAIT_FILE, save_portrait_files
from triptych.systems.lift.likeness import ConfidenceMap, Lifted

CROP_FILE, SHEET_FILE, CONFIDENCE_FILE = "aligned.png", "sheet.png", "confidence.png"

_YAWS_DEG = (-45.0, -30.0, -15.0, 15.0, 30.0, 45.0)
_SIDES_DEG = (-30.0, 0.0, 30.0)
_OTHERS_DEG = ((0.0, 20.0), (0.0, -15.0), (-90.0, 5.0), (90.0, 5.0), (180.0, 5.0))
_SEEN, _GUESSED = (246, 246, 240), (70, 60, 110)  # colours of a confidence of 1 and of 0
_BEHIND = 191


def save_likeness(lifted: Lifted, folder: Path, progress: Progress) -> dict[str, float]:
    """Write everything but `run.json`.

    Returns:
        Seconds spent on each file, by name.
    """
    started = time.monotonic()
    save_png(folder / CROP_FILE, colour_picture(lifted.image[0]))
    save_png(folder / SHEET_FILE, likeness_sheet(lifted))
    save_png(folder / CONFIDENCE_FILE, confidence_sheet(lifted))
    seconds = {"sheets": round(time.monotonic() - started, 2)}
    portrait = lifted.portrait
    # a draft's planes hold nothing finer than its own size
    film = save_portrait_files(
        portrait,
        folder,
        progress,
        film_rays=portrait.image_size,
        mesh_resolution=min(RESOLUTION, portrait.planes.shape[-1]),
    )
    return seconds | film


def likeness_sheet(lifted: Lifted) -> np.ndarray:
    """Return photo, likeness and confidence from the photo's camera; then the head all round."""
    portrait, size = lifted.portrait, lifted.portrait.image_size
    (front,) = view_pictures(portrait, portrait.camera, size)
    photo = colour_picture(lifted.image[0])
    others = portrait.orbit(*torch.tensor(_OTHERS_DEG).deg2rad().T)
    rows = [
        [photo, front, confidence_picture(lifted.confidence, portrait.camera, size)],
        view_pictures(portrait, _turned(lifted), size),
        view_pictures(portrait, others, size),
    ]
    labels = [
        "the photo, the likeness from its camera, where it is seen (white) and guessed (violet)",
        "turned by 45, 30 and 15 degrees to both sides",
        "from above and below, both profiles and the back: guessed for the most part",
    ]
    return picture_sheet(rows, row_labels=labels, cell=size)


def confidence_sheet(lifted: Lifted) -> np.ndarray:
    """Return where the likeness is seen in the photo, on the turned heads."""
    cameras, size = _turned(lifted), lifted.portrait.image_size
    confidence = lifted.confidence
    row = [confidence_picture(confidence, cameras[index], size) for index in range(len(cameras))]
    label = f"seen in the photo (white) and guessed (violet): {confidence.share_seen:.0%} seen"
    return picture_sheet([row], row_labels=[label], cell=size)


def confidence_picture(confidence: ConfidenceMap, camera: Camera, size: int) -> np.ndarray:
    """Return one view of the confidence as pixels uint8 [s, s, 3]."""
    shown, hit = confidence.picture(camera, size)
    shade = np.array(_GUESSED) + shown[..., None] * (np.array(_SEEN) - np.array(_GUESSED))
    return np.where(hit[..., None], shade.round(), _BEHIND).astype(np.uint8)


def sheet_row(folder: Path) -> list[np.ndarray]:
    """Return the crop of finished results, then the head from the front and from both sides."""
    portrait = Portrait.load(folder / PORTRAIT_FILE)
    sides = torch.tensor(_SIDES_DEG).deg2rad()
    heads = view_pictures(portrait, portrait.orbit(sides, torch.zeros(len(sides))))
    return [read_photo(folder / CROP_FILE).pixels, *heads]


def _turned(lifted: Lifted) -> Camera:
    return lifted.portrait.orbit(torch.tensor(_YAWS_DEG).deg2rad(), torch.zeros(len(_YAWS_DEG)))
