"""One photo or many lifted into output folders, as every front end asks for it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import triptych
from triptych.config import to_dict
from triptych.export.h264 import find_ffmpeg
from triptych.photos.aligner import Detector
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.picture_source import PictureSource
from triptych.runs import console
from triptych.runs.console import Progress
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import file_record, model_record, run_record, seconds_of_parts
from triptych.runs.single_picture import run_picture
from triptych.systems.lift.likeness import Lifted
from triptych.systems.lift.pipeline import LiftPipeline
from triptych.systems.lift.results import save_likeness, sheet_row
from triptych.systems.lift.settings import LiftSettings

RESUME_FOLDER = "resume"


@dataclass(frozen=True)
class LiftJob:
    """What decides a likeness beside the photo, and where it computes.

    Attributes:
        model: "avatar", a name from the registry, or a file.
        detector: What looks for faces.
        face: Which face of a photo: 1 is the largest.
        anyway: Try faces that are turned too far.
        settings: Steps and rates.
        style_picture: The photo edited by any program, whose colours the likeness takes.
        device: Where networks and the fit compute; not part of the plan.
    """

    model: str
    detector: Detector
    face: int
    anyway: bool
    settings: LiftSettings
    style_picture: Path | None = None
    device: torch.device = torch.device("cpu")

    done = "lifted"
    figures = ("PSNR", "overlap", "seen")

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: A model is missing.
        """
        return {
            "verb": "lift",
            "triptych": triptych.__version__,
            "model": self.model,
            "models": self._hashes,
            "face": self.face,
            "anyway": self.anyway,
            "detector": self.detector,
            "settings": to_dict(self.settings),
            **({"style_picture": file_record(self.style_picture)} if self.style_picture else {}),
        }

    def pipeline(self) -> LiftPipeline:
        """Load the models, once it is known that results can be written."""
        find_ffmpeg()
        return LiftPipeline.from_pretrained(
            self.model, detector=self.detector, hashes=self._hashes, device=self.device
        )

    def run(self, source: PictureSource, out: Path, *, overwrite: bool) -> None:
        """Lift one picture into a folder; a finished run is not repeated, a stopped one goes on.

        Raises:
            UserError: The picture cannot be used, or the folder holds other results.
        """
        run_picture(
            self,
            source,
            out,
            overwrite=overwrite,
            check=lambda: self._check(source),
            resumable=True,
        )

    def _check(self, source: PictureSource) -> None:
        read_photo(source.path)
        if self.style_picture is not None:
            read_photo(self.style_picture)

    def write(
        self,
        source: PictureSource,
        pipeline: LiftPipeline,
        folder: OutputFolder,
        progress: Progress,
    ) -> None:
        """Lift one picture and publish its folder.

        Raises:
            UserError: The picture cannot be used.
        """
        started = time.monotonic()
        photo = read_photo(source.path)
        if source.model not in (None, self.model):
            console.warn(f"{source.name} was aligned for '{source.model}', not for '{self.model}'")
        edited = None if self.style_picture is None else read_photo(self.style_picture)
        aligned = source.camera is not None
        lifted = pipeline(
            photo_tensor(photo.pixels) if aligned else photo,
            camera=source.camera,
            style_picture=photo_tensor(edited.pixels) if aligned and edited else edited,
            face=self.face,
            anyway=self.anyway,
            settings=self.settings,
            work_dir=folder.staging / RESUME_FOLDER,
            progress=progress,
        )
        for note in lifted.notes:
            console.warn(note)
        seconds = save_likeness(lifted, folder.staging, progress)
        record = {
            **run_record(started, self.device),
            "path": lifted.portrait.path_taken(),
            **lifted.report,
            "face": _face_record(lifted),
            "notes": list(lifted.notes),
        }
        record["seconds"] = seconds_of_parts(started, lifted.report["seconds"], seconds)
        folder.publish(record, drop=(RESUME_FOLDER,))
        console.note(self.caption(lifted.report))

    def figures_of(self, run: dict[str, Any]) -> dict[str, float]:
        """Return the figures of a run.json."""
        return {"psnr": run["psnr"], "overlap": run["overlap"], "seen": run["share_seen"]}

    def caption(self, figures: dict[str, Any]) -> str:
        """Return what is said of a likeness in one line."""
        return f"{figures['psnr']:.1f} dB to the person in the photo"

    def row(self, place: Path) -> list[np.ndarray]:
        """Return a finished crop and its head from the front and from both sides."""
        return sheet_row(place)

    @cached_property
    def _hashes(self) -> dict[str, str]:
        generator = "avatar-generator" if self.model == "avatar" else self.model
        records = (
            model_record(generator, "generator"),
            model_record("avatar-features", "features"),
        )
        return {record["name"]: record["sha256"] for record in records}


def _face_record(lifted: Lifted) -> dict[str, Any]:
    if lifted.photo is None:
        return {}
    face = lifted.photo.face
    return {
        "detector": lifted.photo.detector,
        "yaw_deg": round(math.degrees(face.yaw), 2),
        "pitch_deg": round(math.degrees(face.pitch), 2),
        "roll_deg": round(math.degrees(face.roll), 2),
    }
