"""Stylised heads to measure: fresh from the pipeline, or read from a finished run's folder."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError, shown
from triptych.files import read_json
from triptych.metrics.style_classifier import StyleClassifier, style_index
from triptych.ops.colour import from_uint8
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress, no_progress
from triptych.systems.stylize.pipeline import Stylized, StylizePipeline
from triptych.systems.stylize.settings import StylizeSettings
from triptych.systems.stylize.views import read_view
from triptych.systems.stylize.work_folder import RESUME_FOLDER, VIEWS_FOLDER

PORTRAIT_FILE = "portrait.safetensors"
HeadOf = Callable[[int], TriPlanePortrait]


@dataclass(frozen=True, eq=False)
class StylisedHead:
    """One style on one head, with everything that is measured.

    Attributes:
        style: Name of the style that was asked for.
        identity: Seed of the head.
        portrait: The result.
        original: The head before.
        cameras: Cameras of the edited views; the first is the exact front.
        edited: The edited views [v, 3, h, h] in [-1, 1].
    """

    style: str
    identity: int
    portrait: TriPlanePortrait
    original: TriPlanePortrait
    cameras: Camera
    edited: Tensor

    @classmethod
    def from_result(cls, style: str, identity: int, result: Stylized) -> StylisedHead:
        """Take what the pipeline returned."""
        views = result.views
        return cls(style, identity, result.portrait, result.original, views.cameras, views.images)

    @classmethod
    def from_run(
        cls, folder: str | Path, head_of: HeadOf, style: str | None = None
    ) -> StylisedHead:
        """Read a finished run: its portrait and its `views/`.

        Args:
            folder: Output folder of a run.
            head_of: Returns the unedited head of a seed; the run is read to where that head is.
            style: What was asked for; read from the prompt when None.

        Raises:
            UserError: Files are missing or broken, or the prompt names no style.
        """
        folder = Path(folder)
        portrait = TriPlanePortrait.load(folder / PORTRAIT_FILE)
        record = read_json(folder / VIEWS_FOLDER / "views.json")
        if "seed" not in portrait.provenance.get("identity", {"seed": None}):
            raise UserError(
                f"{folder} stylised a portrait file, whose head before is not known; expected a "
                "run with --identity SEED"
            )
        try:
            prompt = str(record["prompt"])
            identity = int(portrait.provenance["identity"]["seed"])
            labels = [view["camera"] for view in record["views"]]
            files = [folder / VIEWS_FOLDER / view["file"] for view in record["views"]]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder} is not a finished run of one seed's head: {shown(error)} in its records"
            ) from error
        original = head_of(identity)
        device = original.planes.device
        return cls(
            style=style or style_in(prompt),
            identity=identity,
            portrait=portrait.to(device),
            original=original,
            cameras=Camera.stack([Camera.from_json(label, str(folder)) for label in labels]).to(
                device
            ),
            edited=from_uint8(torch.stack([read_view(file) for file in files])).to(device),
        )


def known_styles(asked: Sequence[str], classifier: StyleClassifier) -> list[str]:
    """Return the styles asked for, or all; the classifier must know every one.

    Raises:
        UserError: A style is unknown.
    """
    from triptych.avatars.styles.catalogue import STYLES, style_named

    chosen = list(asked) or [name for name in STYLES if name in classifier.names]
    for style in chosen:
        style_named(style)
        style_index(classifier, style)
    return chosen


def plain_prompt(style: str) -> str:
    """Return the plainest prompt for a style: "a bronze statue"."""
    from triptych.avatars.styles.phrases import phrases_for

    return phrases_for(style)[0]


def run_folder(out: Path, style: str, identity: int) -> Path:
    """Return where an evaluation keeps the run of one style and head."""
    return out / "runs" / f"{style.replace(' ', '-')}-{identity:05d}"


def style_in(prompt: str) -> str:
    """Return the one style that a prompt names; two are joined by a plus sign.

    Raises:
        UserError: The prompt names no known style.
    """
    from triptych.avatars.styles.phrases import styles_in_text

    styles = styles_in_text(prompt)
    if not styles:
        raise UserError(f"the prompt '{prompt}' names no style that could be recognised")
    return "+".join(styles[:2])


def stylise_or_read(
    pipeline: StylizePipeline,
    style: str,
    identity: int,
    settings: StylizeSettings,
    folder: Path,
    *,
    prompt: str,
    seed: int = 0,
    progress: Progress = no_progress,
) -> StylisedHead:
    """Run the pipeline into a folder, or read the result that the same call left there before.

    Args:
        pipeline: The pipeline.
        style: Style that the prompt asks for.
        identity: Seed of the head.
        settings: Views and fitting.
        folder: The run's own folder.
        prompt: What the head becomes.
        seed: Seed of the edit's noise and of the fitting.
        progress: Called with (stage, done, total).
    """
    if (folder / PORTRAIT_FILE).exists():
        head = StylisedHead.from_run(folder, pipeline.subject, style)
        asked = (head.identity, head.portrait.provenance.get("prompt"))
        if asked != (identity, prompt):
            raise UserError(f"{folder} holds another run, {asked}; choose another --out")
        return head
    result = pipeline(
        prompt,
        identity=identity,
        seed=seed,
        settings=settings,
        work_dir=folder,
        progress=progress,
    )
    result.portrait.save(folder / PORTRAIT_FILE)
    shutil.rmtree(folder / RESUME_FOLDER, ignore_errors=True)
    return StylisedHead.from_result(style, identity, result)


def with_planes(head: StylisedHead, planes: Tensor) -> StylisedHead:
    """Return the same head with other fitted planes [1, 3, c, h, w]."""
    return dataclasses.replace(head, portrait=dataclasses.replace(head.portrait, planes=planes))
