"""`triptych edit`: a photo and a prompt become an edited 3D portrait."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, MaybeName, MaybePath
from triptych.runs import console


@dataclass(frozen=True)
class Edit:
    """Edit the head in a photo by words or by a picture, in one pass (3DPE).

    The folder gets portrait.safetensors, which every other verb opens, turntable.mp4, mesh.glb,
    the crop input.png, input, prompt and the head from many sides on views.png, and run.json with
    times. A folder of photos or portraits gets one such folder each and a report; when stopped, the
    same command goes on with those that are left.
    """

    photo: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """A photo, a crop from triptych align, a portrait file, or a folder of these."""
    out: Path
    """Folder for the results."""
    prompt: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[PROMPT]", help_behavior_hint="")
    ] = None
    """What the head becomes ("a bronze statue") or an instruction ("make him old")."""
    reference: MaybePath = None
    """A picture in the wanted style, instead of words."""
    style: MaybePath = None
    """An edit learned by triptych edit-style, instead of words."""
    strength: float = 1.0
    """0 is the head as it is, 1 the whole edit."""
    model: str = "avatar"
    """avatar, a name from `triptych models`, or a file that triptych convert made of 3dpe.pt."""
    base: MaybeName = None
    """Live3D file that an official model was trained over; --strength below 1 needs it."""
    face: int = 1
    """Which face, where there are several: 1 is the largest."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.runs.device import choose_device
        from triptych.runs.photo_batch import run_batch
        from triptych.systems.edit.job import EditJob
        from triptych.systems.edit.sources import edit_sources

        job = EditJob(
            self.prompt,
            self.reference,
            self.style,
            self.strength,
            self.model,
            self.base,
            self.detector,
            self.face,
            choose_device(self.device),
        )
        sources = edit_sources(self.photo, console.warn)
        if self.photo.is_dir():
            run_batch(job, sources, self.out, overwrite=self.overwrite)
        else:
            job.run(sources[0], self.out, overwrite=self.overwrite)
        console.result(str(self.out))
