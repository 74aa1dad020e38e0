"""One photo or many edited into output folders, as every front end asks for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

import triptych
from triptych.errors import UserError, check_range
from triptych.export.h264 import find_ffmpeg
from triptych.photos.aligner import Detector
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.picture_source import PictureSource
from triptych.portrait import Portrait
from triptych.progress import Progress
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import file_record, model_record, run_record, seconds_of_parts
from triptych.runs.single_picture import run_picture
from triptych.systems.edit.pipeline import AVATAR, EMBEDDED, Edited, EditPipeline
from triptych.systems.edit.results import save_edit, sheet_row
from triptych.systems.edit.sources import is_portrait
from triptych.systems.edit.style import EditStyle

_KIND = "portrait-encoder"


@dataclass(frozen=True)
class EditJob:
    """What decides an edit beside the photo, and where it computes.

    Attributes:
        prompt: What the head becomes, in words.
        reference: A picture in the wanted style.
        style: File of a learned edit.
        strength: 0 is the head as it is, 1 the whole edit.
        model: "avatar", a name from the registry, or a file.
        base: File of the base of an official model, where `strength` needs it.
        detector: What looks for faces.
        face: Which face of a photo: 1 is the largest.
        device: Where networks compute; not part of the plan.

    Raises:
        UserError: There is no prompt, or more than one kind of it.
    """

    prompt: str | None = None
    reference: Path | None = None
    style: Path | None = None
    strength: float = 1.0
    model: str = AVATAR
    base: str | None = None
    detector: Detector = "auto"
    face: int = 1
    device: torch.device = torch.device("cpu")
    _earlier: list[Edited] = field(default_factory=list, repr=False, compare=False)

    done = "edited"
    figures: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        given = {"words": self.prompt, "--reference": self.reference, "--style": self.style}
        named = [name for name, value in given.items() if value is not None]
        if not named:
            raise UserError(
                "no prompt: say in words what the head becomes, or give --reference or --style"
            )
        if len(named) > 1:
            raise UserError(f"the prompt is given as {' and '.join(named)}; give one of them")
        if self.prompt is not None and not self.prompt.strip():
            raise UserError("the prompt is empty; say what the head becomes, such as 'an elf'")
        check_range("--strength", self.strength, 0.0, 1.0)
        check_range("--face", self.face, 1, 100)

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: A model or a file of the prompt is missing.
        """
        asked: dict[str, Any] = {"prompt": self.prompt}
        for name, path in (("reference", self.reference), ("style", self.style)):
            if path is not None:
                if not path.is_file():
                    raise UserError(f"--{name}: there is no file {path}")
                asked = {name: file_record(path)}
        return {
            "verb": "edit",
            "triptych": triptych.__version__,
            **asked,
            "strength": self.strength,
            "model": self.model,
            "models": self._hashes,
            "face": self.face,
            "detector": self.detector,
        }

    def pipeline(self) -> EditPipeline:
        """Load the models, once it is known that results can be written."""
        find_ffmpeg()
        return EditPipeline.from_pretrained(
            self.model, base=self.base, detector=self.detector, device=self.device
        )

    def run(self, source: PictureSource, out: Path, *, overwrite: bool) -> None:
        """Edit one picture into a folder; a finished run is not repeated.

        Raises:
            UserError: Picture or prompt cannot be used, or the folder holds other results.
        """
        run_picture(self, source, out, overwrite=overwrite, check=lambda: self._check(source))

    def _check(self, source: PictureSource) -> None:
        for path in (self.reference, None if is_portrait(source.path) else source.path):
            if path is not None:
                read_photo(path)
        if self.style is not None:
            EditStyle.load(self.style)

    def write(
        self,
        source: PictureSource,
        pipeline: EditPipeline,
        folder: OutputFolder,
        progress: Progress,
    ) -> None:
        """Edit one picture and publish its folder; the prompt is read for the first one only.

        Raises:
            UserError: The picture cannot be used.
        """
        started = time.monotonic()
        progress("editing", 0, 1)
        if self._earlier:
            edited = pipeline(
                self._input(source, pipeline),
                strength=self.strength,
                face=self.face,
                keep=self._earlier[0],
            )
        else:
            edited = pipeline(
                self._input(source, pipeline),
                self.prompt,
                reference=self.reference,
                style=self.style,
                strength=self.strength,
                face=self.face,
            )
            self._earlier.append(edited)
        progress("editing", 1, 1)
        for note in edited.notes:
            console.warn(note)
        seconds = save_edit(edited, folder.staging, progress)
        request = edited.portrait.provenance
        asked: dict[str, Any] = {
            name: request[name] for name in ("prompt", "reference", "style") if name in request
        }
        record: dict[str, Any] = {
            **run_record(started, self.device),
            "path": edited.portrait.path_taken(),
            **asked,
            "strength": self.strength,
            "notes": list(edited.notes),
        }
        parts = {name: round(spent, 3) for name, spent in edited.seconds.items()}
        record["seconds"] = seconds_of_parts(started, parts, seconds)
        folder.publish(record)

    def figures_of(self, run: dict[str, Any]) -> dict[str, float]:
        """Return no figures: whether an edit is good is for eyes to say."""
        return {}

    def caption(self, figures: dict[str, Any]) -> str:
        """Return what the sheet of a folder says of a picture."""
        return f"{figures['seconds']:.1f} s"

    def row(self, place: Path) -> list[np.ndarray]:
        """Return a finished input and its head from the front and from both sides."""
        return sheet_row(place)

    def _input(self, source: PictureSource, pipeline: EditPipeline) -> Any:
        if is_portrait(source.path):
            return Portrait.load(source.path, self.device)
        photo = read_photo(source.path)
        if source.camera is None:
            return photo
        height, width = photo.pixels.shape[:2]
        if height != width:
            raise UserError(
                f"{source.name} is {width} x {height}, but came with a camera; expected a square "
                "crop"
            )
        return photo_tensor(photo.pixels)

    @cached_property
    def _hashes(self) -> dict[str, str]:
        named = [EMBEDDED if self.model == AVATAR else self.model]
        named += [] if self.base is None else [self.base]
        records = [model_record(name, _KIND) for name in named]
        return {record["name"]: record["sha256"] for record in records}
