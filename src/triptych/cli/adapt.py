"""`triptych adapt`: a few artworks become a style that every head wears."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import DeviceName, KeyValues, changed, parse_key_values
from triptych.config import from_dict, to_dict
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.systems.adapt.few_shot import FewShotSettings


@dataclass(frozen=True)
class Adapt:
    """Learn a style from artworks, 50 at most: a style pack for all heads of a generator.

    The pack is one small file; a sheet of artworks and heads in the style lies beside it under the
    same name. `triptych generate` takes the pack as its style. Pictures with a face are aligned,
    others are taken whole; broken ones are named and left out.
    """

    pictures: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PICTURES")]
    """A picture, or a folder of them."""
    out: Path
    """File to write, .safetensors."""
    licence: str = "not stated"
    """Terms of the artworks; they are kept in the pack."""
    model: str = "avatar"
    """Generator whose heads will wear the style: a name from `triptych models`, or a file."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    set: KeyValues = ()
    """Individual settings as KEY=VALUE, for instance steps=300 identity=1."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Do the work."""
        settings = self._settings()
        from triptych.runs.device import choose_device
        from triptych.systems.adapt.job import AdaptJob

        job = AdaptJob(
            self.model, self.detector, self.licence, settings, choose_device(self.device)
        )
        job.run(self.pictures, self.out, overwrite=self.overwrite)
        console.result(str(self.out))

    def _settings(self) -> FewShotSettings:
        from triptych.systems.adapt.few_shot import FewShotSettings

        values = to_dict(FewShotSettings())
        return from_dict(FewShotSettings, changed(values, parse_key_values(self.set)))
