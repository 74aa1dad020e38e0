"""`triptych invert`: a photo becomes a 3D portrait."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import (
    DeviceName,
    KeyValues,
    MaybeFloat,
    MaybeInt,
    MaybePath,
    changed,
    parse_key_values,
)
from triptych.config import from_dict, to_dict
from triptych.errors import check_range
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.systems.invert.settings import InvertSettings


@dataclass(frozen=True)
class Invert:
    """Turn a photo into a 3D portrait: align it, encode it in a few steps (3DpSp), refine it.

    The embedded models make avatars; `triptych lift` makes a likeness of a photographed person.

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
    """Fitted after the encoder: nothing; w, one style code; w+, a code per layer; pti, the codes,
    then the generator."""
    schedule: Literal["short", "published"] = "short"
    """Steps and rates of the refinement: short, or PTI's own (minutes to hours)."""
    refine_camera: bool = False
    """Fit the camera as well."""
    no_mirror: bool = False
    """Do not use the mirrored picture as a second view of the head."""
    face: int = 1
    """Which face, where there are several: 1 is the largest."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    style: MaybePath = None
    """Style of the head: a style pack from `triptych adapt`, or one example picture."""
    styler: str = "avatar-styler"
    """Network that turns a picture into a style: a name from `triptych models`, or a file."""
    strength: float = 1.0
    """Strength of the style, 0 to 2; 0 leaves the head unchanged."""
    geometry: MaybeFloat = None
    """Strength of the style in shapes; --strength by default."""
    appearance: MaybeFloat = None
    """Strength of the style on surfaces; --strength by default."""
    set: KeyValues = ()
    """Individual settings as KEY=VALUE, for instance mirror_weight=0.1 seed=3."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--face", self.face, 1, 100)
        settings = self._settings()
        from triptych.models.style_strength import StyleStrength
        from triptych.photos.picture_source import sources_of
        from triptych.runs.device import choose_device
        from triptych.runs.photo_batch import run_batch
        from triptych.runs.style_source import StyleSource
        from triptych.systems.invert.job import InvertJob

        sources = sources_of(self.photo, console.warn)
        device = choose_device(self.device)
        job = InvertJob(
            self.model,
            self.encoder,
            self.detector,
            self.face,
            settings,
            device,
            None if self.style is None else StyleSource(self.style, self.styler, self.detector),
            StyleStrength.chosen(self.strength, self.geometry, self.appearance),
        )
        if self.photo.is_dir():
            run_batch(job, sources, self.out, overwrite=self.overwrite)
        else:
            job.run(sources[0], self.out, overwrite=self.overwrite)
        console.result(str(self.out))

    def _settings(self) -> InvertSettings:
        from triptych.systems.invert.settings import InvertSettings, schedule

        chosen = dataclasses.replace(
            schedule(self.schedule),
            steps=self.steps,
            refine=self.refine,
            refine_camera=self.refine_camera,
            mirror=not self.no_mirror,
        )
        return from_dict(InvertSettings, changed(to_dict(chosen), parse_key_values(self.set)))
