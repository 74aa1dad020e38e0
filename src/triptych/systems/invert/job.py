"""One photo or a folder of photos inverted into output folders, as every front end asks for it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import triptych
from triptych.camera import Camera
from triptych.config import to_dict
from triptych.errors import UserError
from triptych.export.h264 import find_ffmpeg
from triptych.files import read_json
from triptych.photos.aligner import Detector
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.photo_folder import list_photos
from triptych.runs import console
from triptych.runs.console import Progress
from triptych.runs.output_folder import OutputFolder
from triptych.runs.record import file_record, model_record, run_record
from triptych.systems.invert.loading import check_encoder
from triptych.systems.invert.pipeline import Inverted, InvertPipeline
from triptych.systems.invert.results import save_inversion
from triptych.systems.invert.settings import InvertSettings

LABELS_FILE = "dataset.json"
_LABEL_DIM = 25


@dataclass(frozen=True, eq=False)
class Source:
    """One picture.

    Attributes:
        name: What it is called in reports: its path below the folder.
        path: The file.
        camera: The camera of an aligned picture; None for a photo.
        model: For which model it was aligned, where that is known.
    """

    name: str
    path: Path
    camera: Camera | None = None
    model: str | None = None


def sources_of(photo: Path) -> list[Source]:
    """Return what a path holds.

    A picture beside a JSON file of its name with a camera in it, as `triptych align` leaves them,
    is aligned; so are the pictures of a folder's dataset.json. All others are photos.

    Raises:
        UserError: There is no such path, or no picture in it.
    """
    if (photo / LABELS_FILE).is_file():
        labelled = LabelledImages(photo)
        return [
            Source(name, photo / name, labelled.camera[index])
            for index, name in enumerate(labelled.names)
        ]
    if photo.is_dir():
        listing = list_photos(photo)
        for note in listing.notes():
            console.warn(note)
        return [_source(path.relative_to(photo).as_posix(), path) for path in listing.photos]
    if not photo.exists():
        raise UserError(f"there is no photo {photo}")
    return [_source(photo.name, photo)]


def _source(name: str, path: Path) -> Source:
    record = path.with_suffix(".json")
    if not record.is_file():
        return Source(name, path)
    content = read_json(record)
    label = content.get("camera") if isinstance(content, dict) else None
    if not isinstance(label, list) or len(label) != _LABEL_DIM:
        return Source(name, path)
    camera = Camera.from_json(label, f"{record}: the camera")
    return Source(name, path, camera, content.get("model"))


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
    """

    model: str
    encoder: str
    detector: Detector
    face: int
    settings: InvertSettings
    device: torch.device = torch.device("cpu")

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
        }

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

    def run(self, source: Source, out: Path, *, overwrite: bool) -> None:
        """Invert one picture into a folder of its own; a finished run is not repeated.

        Raises:
            UserError: The picture cannot be used, or the folder holds other results.
        """
        plan = {**self.plan(), "photo": file_record(source.path)}
        folder = OutputFolder.open(out, plan, overwrite=overwrite)
        if folder.finished:
            console.note(f"{out} already holds this very run; nothing to do")
            return
        with folder:
            pipeline = self.pipeline()
            with console.stages() as progress:
                self.write(source, pipeline, folder, progress)

    def write(
        self, source: Source, pipeline: InvertPipeline, folder: OutputFolder, progress: Progress
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
        seconds = save_inversion(inverted, folder.staging, progress)
        path = inverted.portrait.path_taken()
        record = {
            **run_record(started, self.device),
            "path": path,
            **inverted.report,
            **_photo_record(inverted),
        }
        record["seconds"] = {
            **inverted.report["seconds"],
            **seconds,
            "total": round(time.monotonic() - started, 2),
        }
        folder.publish(record)

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
