"""`triptych lift`: a photo becomes a likeness in 3D."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, KeyValues, MaybePath, changed, parse_key_values
from triptych.config import from_dict, to_dict
from triptych.errors import UserError, check_range
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.systems.lift.settings import LiftSettings


@dataclass(frozen=True)
class Lift:
    """Make a likeness in 3D of the person in a photo, without networks trained on faces.

    An avatar of the person's kind is warped to the landmarks and the outline in the photo and takes
    its colours from there; what the photo does not show is guessed. Expression and light stay those
    of the photo. The folder gets portrait.safetensors, which every other verb opens, turntable.mp4,
    mesh.glb, the crop aligned.png, the head from all sides on sheet.png, what was seen and what is
    guessed on confidence.png, and run.json. A folder of photos gets one such folder per photo and a
    report. When stopped, the same command goes on. It needs mediapipe: pip install
    "triptych[photo]".
    """

    photo: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """A photo of a face that looks about into the camera, a crop from triptych align, or a folder
    of either."""
    out: Path
    """Folder for the results."""
    style_picture: MaybePath = None
    """The same photo edited by any program: the likeness keeps the photo's shape and takes the
    edit's colours."""
    quality: Literal["draft", "standard"] = "standard"
    """draft: half the size and fewer steps, in about half the time."""
    face: int = 1
    """Which face, where there are several: 1 is the largest."""
    anyway: bool = False
    """Try faces that are turned by more than 35 degrees too."""
    model: str = "avatar"
    """Generator of avatars: avatar, a name from `triptych models`, or a file."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    set: KeyValues = ()
    """Individual settings as KEY=VALUE, for instance tune_decoder=true seed=3."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--face", self.face, 1, 100)
        settings = self._settings()
        from triptych.photos.picture_source import sources_of
        from triptych.runs.device import choose_device
        from triptych.runs.photo_batch import run_batch
        from triptych.systems.lift.job import LiftJob

        if self.style_picture is not None:
            if self.photo.is_dir():
                raise UserError("--style-picture: got a folder of photos; expected one photo")
            if not self.style_picture.is_file():
                raise UserError(f"--style-picture: there is no picture {self.style_picture}")
        sources = sources_of(self.photo, console.warn)
        device = choose_device(self.device)
        job = LiftJob(
            self.model,
            self.detector,
            self.face,
            self.anyway,
            settings,
            self.style_picture,
            device,
        )
        if self.photo.is_dir():
            run_batch(job, sources, self.out, overwrite=self.overwrite)
        else:
            job.run(sources[0], self.out, overwrite=self.overwrite)
        console.result(str(self.out))

    def _settings(self) -> LiftSettings:
        from triptych.systems.lift.settings import LiftSettings, preset

        values = to_dict(preset(self.quality))
        return from_dict(LiftSettings, changed(values, parse_key_values(self.set)))
