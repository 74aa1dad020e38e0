"""One photo or a folder of photos inverted into output folders, as every front end asks for it."""

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
from triptych.errors import UserError
from triptych.export.h264 import find_ffmpeg
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.photos.aligner import Detector
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.picture_source import PictureSource
from triptych.portrait.style_pack import StylePack
from triptych.runs import console
from triptych.runs.console import Progress
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import model_record, run_record, seconds_of_parts
from triptych.runs.single_picture import run_picture
from triptych.runs.style_source import StyleSource, styled_model
from triptych.systems.invert.loading import check_encoder
from triptych.systems.invert.pipeline import Inverted, InvertPipeline
from triptych.systems.invert.results import save_inversion, sheet_row
from triptych.systems.invert.settings import InvertSettings


@dataclass(frozen=True)
class InvertJob:
    """What decides the results of an inversion beside the photos, and where it computes.

    Attributes:
        model: "avatar", a name from the registry, or a file.
        encoder: Name or file of the encoder trained for that model.
        detector: What looks for faces.
        face: Which face of a photo: 1 is the largest.
        settings: Steps and refinement.
        device: Where networks compute; not part of the plan.
        style: What the head wears; None leaves it.
        strength: How much of the style.

    Raises:
        UserError: A strength without a style.
    """

    model: str
    encoder: str
    detector: Detector
    face: int
    settings: InvertSettings
    device: torch.device = torch.device("cpu")
    style: StyleSource | None = None
    strength: StyleStrength = FULL_STRENGTH

    def __post_init__(self) -> None:
        if self.style is None and self.strength != FULL_STRENGTH:
            raise UserError("a strength needs a style: add --style and a style pack or a picture")

    done = "inverted"
    figures = ("PSNR", "perceptual", "identity")

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the results, as JSON values.

        Raises:
            UserError: A model is missing, or the two do not belong together.
        """
        return {
            "verb": "invert",
            "triptych": triptych.__version__,
            "model": self.model,
            "encoder": self.encoder,
            "models": self._hashes,
            "face": self.face,
            "detector": self.detector,
            "settings": to_dict(self.settings),
            **(self._style_plan() if self.style is not None else {}),
        }

    def _style_plan(self) -> dict[str, Any]:
        assert self.style is not None
        return {"style": self.style.plan(self.model), "strength": to_dict(self.strength)}

    def pipeline(self) -> InvertPipeline:
        """Load the models, once it is known that results can be written."""
        find_ffmpeg()
        return InvertPipeline.from_pretrained(
            self.model,
            self.encoder,
            detector=self.detector,
            hashes=self._hashes,
            device=self.device,
        )

    def run(self, source: PictureSource, out: Path, *, overwrite: bool) -> None:
        """Invert one picture into a folder of its own; a finished run is not repeated.

        Raises:
            UserError: The picture cannot be used, or the folder holds other results.
        """
        run_picture(self, source, out, overwrite=overwrite)

    def write(
        self,
        source: PictureSource,
        pipeline: InvertPipeline,
        folder: OutputFolder,
        progress: Progress,
    ) -> None:
        """Invert one picture and publish its folder.

        Raises:
            UserError: The picture cannot be used.
        """
        started = time.monotonic()
        photo = read_photo(source.path)
        picture = photo if source.camera is None else photo_tensor(photo.pixels)
        if source.model not in (None, self.model):
            console.warn(f"{source.name} was aligned for '{source.model}', not for '{self.model}'")
        inverted = pipeline(
            picture,
            camera=source.camera,
            face=self.face,
            settings=self.settings,
            progress=progress,
        )
        for note in inverted.photo.notes if inverted.photo else ():
            console.warn(note)
        if self._worn is not None:
            inverted = pipeline.styled(
                inverted, self._worn, styled_model(self.model), self.strength
            )
        seconds = save_inversion(inverted, folder.staging, progress)
        path = inverted.portrait.path_taken()
        record = {
            **run_record(started, self.device),
            "path": path,
            **inverted.report,
            **_photo_record(inverted),
        }
        record["seconds"] = seconds_of_parts(started, inverted.report["seconds"], seconds)
        folder.publish(record)

    def figures_of(self, run: dict[str, Any]) -> dict[str, float]:
        """Return the last stage's figures from a run.json."""
        last = run["stages"][-1]
        return {name: last[name] for name in map(str.lower, self.figures)}

    def caption(self, figures: dict[str, Any]) -> str:
        """Return what the sheet of a folder says of a picture."""
        return f"{figures['psnr']:.1f} dB, perceptual {figures['perceptual']:.3f}"

    def row(self, place: Path) -> list[np.ndarray]:
        """Return a finished crop and its head from the front and from both sides."""
        return sheet_row(place)

    @cached_property
    def _worn(self) -> StylePack | None:
        return None if self.style is None else self.style.load(self.model, self.device)

    @cached_property
    def _hashes(self) -> dict[str, str]:
        check_encoder(self.model, self.encoder)
        generator = "avatar-generator" if self.model == "avatar" else self.model
        records = model_record(generator, "generator"), model_record(self.encoder, "encoder")
        return {record["name"]: record["sha256"] for record in records}


def _photo_record(inverted: Inverted) -> dict[str, Any]:
    if inverted.photo is None:
        return {"notes": ["the picture came aligned, with its camera"]}
    face = inverted.photo.face
    return {
        "face": {
            "detector": inverted.photo.detector,
            "yaw_deg": round(math.degrees(face.yaw), 2),
            "pitch_deg": round(math.degrees(face.pitch), 2),
            "roll_deg": round(math.degrees(face.roll), 2),
        },
        "notes": list(inverted.photo.notes),
    }
