"""The files that `triptych stylize` leaves: portrait, video, mesh and the sheet of views."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from triptych.camera import Camera
from triptych.export.pictures import colour_picture, save_png, view_pictures
from triptych.export.sheets import picture_sheet
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.runs.portrait_results import save_portrait_files
from triptych.systems.stylize.pipeline import Stylized
from triptych.systems.stylize.views import EditedViews

_SHOWN_VIEWS = ((-1.0, 0.0), (-0.5, 0.5), (0.0, 0.0), (0.5, -0.5), (1.0, 0.0))
"""Yaw and pitch of the views on the sheet, as shares of the edited range."""
_NEW_ANGLES_DEG = ((-45.0, 0.0), (-25.0, 20.0), (0.0, -20.0), (25.0, 20.0), (45.0, 0.0))

_CLASSIFIED_YAWS_DEG = (-30.0, -15.0, 0.0, 15.0, 30.0)
_NUM_SCORES = 3


def save_results(stylized: Stylized, folder: Path, progress: Progress) -> dict[str, float]:
    """Write everything but `run.json`.

    Args:
        stylized: What the pipeline returned.
        folder: Where to.
        progress: Called with (stage, done, total).

    Returns:
        Seconds spent on each file, by name.
    """
    started = time.monotonic()
    save_png(folder / "views.png", views_sheet(stylized))
    seconds = {"sheet": round(time.monotonic() - started, 2)}
    return seconds | save_portrait_files(stylized.portrait, folder, progress)


def style_scores(portrait: TriPlanePortrait) -> dict[str, float]:
    """Return the embedded classifier's most probable styles with their probabilities.

    The classifier was trained on avatar renders only; probabilities are means over five yaws
    within +-30 degrees.
    """
    from triptych.metrics.style_classifier import AvatarStyleClassifier

    classifier = AvatarStyleClassifier.from_pretrained().to(portrait.camera.cam2world.device)
    yaws = torch.deg2rad(torch.tensor(_CLASSIFIED_YAWS_DEG))
    with torch.no_grad():
        images = portrait.render(portrait.config.view.camera(yaws)).image
        probabilities = classifier.probabilities(images.clamp(-1, 1)).mean(dim=0)
    likeliest = probabilities.topk(min(_NUM_SCORES, len(classifier.names)))
    return {
        classifier.names[int(index)]: round(float(probability), 3)
        for probability, index in zip(likeliest.values, likeliest.indices, strict=True)
    }


def views_sheet(stylized: Stylized) -> np.ndarray:
    """Return the sheet: head, edited views, result at the same angles, result at new angles."""
    shown = _indices_shown(stylized.views)
    cameras = stylized.views.cameras[shown]
    new = torch.deg2rad(torch.tensor(_NEW_ANGLES_DEG))
    new_cameras = stylized.portrait.config.view.camera(new[:, 0], new[:, 1])
    size = max(stylized.views.images.shape[-1], stylized.portrait.picture_size)
    rows = [
        view_pictures(stylized.original, cameras, size),
        [colour_picture(image) for image in stylized.views.images[shown]],
        view_pictures(stylized.portrait, cameras, size),
        view_pictures(stylized.portrait, new_cameras, size),
    ]
    prompt = str(stylized.report.get("prompt", ""))
    labels = [
        "the head before",
        f"edited views: {prompt}",
        "the 3D result from the same angles",
        "the 3D result from new angles",
    ]
    return picture_sheet(rows, row_labels=labels)


def _indices_shown(views: EditedViews) -> torch.Tensor:
    """Return the views nearest to the angles on the sheet; dropped views are not shown."""
    cameras: Camera = views.cameras
    angles = torch.stack([cameras.yaw, cameras.pitch], dim=1)
    angles[~views.kept] = torch.inf
    reach = torch.stack([cameras.yaw.abs().max(), cameras.pitch.abs().max()])
    shown = torch.tensor(_SHOWN_VIEWS) * reach
    return torch.cdist(shown.to(angles), angles).argmin(dim=1)
