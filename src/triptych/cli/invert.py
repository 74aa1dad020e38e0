"""`triptych invert`: a photo becomes a 3D portrait."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

import triptych
from triptych.cli import console
from triptych.cli.key_values import changed, parse_key_values
from triptych.cli.option_types import MaybeInt
from triptych.cli.output_folder import OutputFolder
from triptych.config import from_dict, to_dict
from triptych.errors import check_range

if TYPE_CHECKING:
    from triptych.cli.console import Progress
    from triptych.cli.invert_sources import Source
    from triptych.pipelines.invert import Inverted, InvertPipeline
    from triptych.pipelines.invert_settings import InvertSettings


@dataclass(frozen=True)
class Invert:
    """Turn a photo into a 3D portrait: align it, encode it in a few steps (3DpSp), refine it.

    The folder gets portrait.safetensors, which every other verb opens, turntable.mp4, mesh.glb, the
    crop aligned.png, every step on strip.png, the head from other sides on views.png, and run.json
    with distances and times. A folder of photos gets one such folder per photo and a report; when
    stopped, the same command goes on with the photos that are left.
    """

    photo: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """A photo, a crop from triptych align, or a folder of either."""
    out: Path
    """Folder for the results."""
    model: str = "avatar"
    """Generator: avatar, a name from `triptych models`, or a file."""
    encoder: str = "avatar-psp"
    """Encoder that was trained for it: a name from `triptych models`, or a file."""
    steps: MaybeInt = None
    """Steps of the encoder, 1 to 50; by default as many as it was trained for."""
    refine: Literal["none", "w", "w+", "pti"] = "w+"
    """What follows: nothing; one style code; a code per layer; codes, then the generator."""
    schedule: Literal["short", "published"] = "short"
    """Steps and rates of the refinement: short, or PTI's own (minutes to hours)."""
    refine_camera: bool = False
    """Also turn the camera until the picture fits better."""
    no_mirror: bool = False
    """Do not take the mirrored picture for a second view of the head."""
    face: int = 1
    """Which face, where there are several: 1 is the largest."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """What looks for faces; see triptych align."""
    set: tuple[str, ...] = ()
    """Single settings as KEY=VALUE, for instance mirror_weight=0.1 seed=3."""
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--face", self.face, 1, 100)
        settings = self._settings()
        from triptych.cli.invert_sources import sources_of

        sources = sources_of(self.photo)
        plan = self._plan(settings)
        if self.photo.is_dir():
            from triptych.cli.invert_folder import invert_folder

            invert_folder(self, sources, plan, settings)
        else:
            self._invert_one(sources[0], plan, settings)
        console.result(str(self.out))

    def _invert_one(self, source: Source, plan: dict[str, Any], settings: InvertSettings) -> None:
        from triptych.cli.run_record import file_record

        plan = {**plan, "photo": file_record(source.path)}
        folder = OutputFolder.open(self.out, plan, overwrite=self.overwrite)
        if folder.finished:
            console.note(f"{self.out} already holds this very run; nothing to do")
            return
        with folder:
            pipeline = self.pipeline()
            with console.stages() as progress:
                self.make(source, pipeline, settings, folder, progress)

    def make(
        self,
        source: Source,
        pipeline: InvertPipeline,
        settings: InvertSettings,
        folder: OutputFolder,
        progress: Progress,
    ) -> None:
        """Invert one picture and publish its folder.

        Raises:
            UserError: The picture cannot be used.
        """
        from triptych.cli.invert_results import save_inversion
        from triptych.cli.run_record import run_record
        from triptych.data.photos.photo import photo_tensor, read_photo

        started = time.monotonic()
        photo = read_photo(source.path)
        picture = photo if source.camera is None else photo_tensor(photo.pixels)
        if source.model not in (None, self.model):
            console.warn(f"{source.name} was aligned for '{source.model}', not for '{self.model}'")
        inverted = pipeline(
            picture, camera=source.camera, face=self.face, settings=settings, progress=progress
        )
        for note in inverted.photo.notes if inverted.photo else ():
            console.warn(note)
        seconds = save_inversion(inverted, folder.staging, progress)
        path = inverted.portrait.path_taken()
        record = {**run_record(started), "path": path, **inverted.report, **_photo_record(inverted)}
        record["seconds"] = {
            **inverted.report["seconds"],
            **seconds,
            "total": round(time.monotonic() - started, 2),
        }
        folder.publish(record)

    def pipeline(self) -> InvertPipeline:
        """Return the pipeline that the options ask for."""
        from triptych.pipelines.invert import InvertPipeline

        return InvertPipeline.from_pretrained(
            self.model, self.encoder, detector=self.detector, hashes=self._hashes()
        )

    def _settings(self) -> InvertSettings:
        from triptych.pipelines.invert_settings import InvertSettings, schedule

        chosen = dataclasses.replace(
            schedule(self.schedule),
            steps=self.steps,
            refine=self.refine,
            refine_camera=self.refine_camera,
            mirror=not self.no_mirror,
        )
        return from_dict(InvertSettings, changed(to_dict(chosen), parse_key_values(self.set)))

    def _plan(self, settings: InvertSettings) -> dict[str, Any]:
        return {
            "verb": "invert",
            "triptych": triptych.__version__,
            "model": self.model,
            "encoder": self.encoder,
            "models": self._hashes(),
            "face": self.face,
            "detector": self.detector,
            "settings": to_dict(settings),
        }

    def _hashes(self) -> dict[str, str]:
        from triptych.cli.run_record import model_record
        from triptych.pipelines.invert_checks import check_encoder

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
