"""`triptych edit-style`: a few pairs become a custom edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, KeyValues, MaybeName, changed, parse_key_values
from triptych.config import from_dict, to_dict
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.systems.edit.adaptation.learning import AdaptationSettings


@dataclass(frozen=True)
class EditStyle:
    """Learn a custom edit from 1 to 10 pairs of pictures, before and after, in a minute.

    The edit is one small file, which triptych edit takes as its style. A sheet of the pairs and of
    the edit after 10 and 60 seconds lies beside it under the same name. One of the pairs is held
    out and decides when to stop. With --prompt an image editor makes the pairs.
    """

    out: Path
    """File to write, .safetensors."""
    pairs: Annotated[
        Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[PAIRS]", help_behavior_hint="")
    ] = None
    """Folder with before/NAME.png and after/NAME.png."""
    name: str = "custom"
    """What the edit is called."""
    prompt: MaybeName = None
    """Words for an image editor that makes the pairs, instead of a folder."""
    editor: str = "avatar-editor"
    """Image editor for --prompt: a name from `triptych models`, or a folder."""
    count: int = 10
    """Pairs that it makes, 1 to 10."""
    generator: str = "avatar-generator"
    """Generator of the heads of those pairs: a name from `triptych models`, or a file."""
    model: str = "avatar"
    """avatar, a name from `triptych models`, or a file that triptych convert made of 3dpe.pt."""
    base: MaybeName = None
    """Live3D file that an official model was trained over, which teaches the edit."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    set: KeyValues = ()
    """Individual settings as KEY=VALUE, for instance seconds=120 rank=8."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Do the work."""
        settings = self._settings()
        from triptych.runs.device import choose_device
        from triptych.systems.edit.adaptation.job import EditStyleJob

        job = EditStyleJob(
            name=self.name,
            prompt=self.prompt,
            editor=self.editor,
            count=self.count,
            generator=self.generator,
            model=self.model,
            base=self.base,
            detector=self.detector,
            settings=settings,
            device=choose_device(self.device),
        )
        job.run(self.pairs, self.out, overwrite=self.overwrite)
        console.result(str(self.out))

    def _settings(self) -> AdaptationSettings:
        from triptych.systems.edit.adaptation.learning import AdaptationSettings

        values = to_dict(AdaptationSettings())
        return from_dict(AdaptationSettings, changed(values, parse_key_values(self.set)))
