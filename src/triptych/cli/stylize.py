"""`triptych stylize`: a line of text becomes a stylised 3D portrait."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from triptych.cli.options import SEED, DeviceName, KeyValues, MaybeFloat, parse_key_values
from triptych.errors import UserError, check_range
from triptych.runs import console
from triptych.seeds import check_seed

if TYPE_CHECKING:
    from triptych.systems.stylize.settings import StylizeSettings


@dataclass(frozen=True)
class Stylize:
    """Turn a head into what a line of text says (FF3D).

    The folder gets portrait.safetensors, which every other verb opens, turntable.mp4, mesh.glb,
    the sheet views.png, the edited pictures in views/, and run.json with all settings. A run that
    was stopped goes on when the same command is given again.
    """

    prompt: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")]
    """What the head becomes ("a bronze statue") or an instruction ("make him old")."""
    out: Path
    """Folder for the results."""
    identity: str = "0"
    """Whose head: a seed, as in triptych generate, or a portrait file, as triptych lift makes."""
    quality: str = "standard"
    """draft, standard or high: more views and steps, and more time."""
    refine_identity: Literal["auto", "yes", "no"] = "auto"
    """Fit the seed's head to its avatar first (docs/refinement.md); auto: at quality high, if
    the seed has an avatar."""
    seed: int = 0
    """Seed of the edit; another one gives another rendition of the same words."""
    model: str = "avatar"
    """avatar; a folder with generator, i2t, features and editor; or a generator alone: a name from
    `triptych models`, or a file."""
    editor: str = "avatar"
    """Image editor: avatar, instruct-pix2pix (downloads several GB), or a folder."""
    yaw_range_deg: MaybeFloat = None
    """Largest yaw of the edited views in degrees, 0 to 90; 30 by default."""
    pitch_range_deg: MaybeFloat = None
    """Largest pitch of the edited views in degrees, 0 to 60; 30 by default."""
    set: KeyValues = ()
    """Individual settings as KEY=VALUE, for instance steps=200 num_yaw=6."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.editors.image_editor import EditRequest

        edit = EditRequest(self.prompt, self.seed)
        settings, identity = self._settings(), _identity(self.identity)
        from triptych.runs.device import choose_device
        from triptych.systems.stylize.job import StylizeJob

        device = choose_device(self.device)
        refine = self._refined_identity(identity)
        job = StylizeJob(edit, identity, settings, self.model, self.editor, device, refine)
        job.run(self.out, overwrite=self.overwrite)
        console.result(str(self.out))

    def _refined_identity(self, identity: int | Path) -> bool:
        """Return whether the head is fitted to its avatar first.

        Raises:
            UserError: That was asked for, of a portrait file.
        """
        if self.refine_identity != "auto":
            asked = self.refine_identity == "yes"
            if asked and isinstance(identity, Path):
                raise UserError(
                    f"--refine-identity: {identity} is a portrait file; expected a seed, whose "
                    "avatar is known; leave the option out"
                )
            return asked
        return self.quality == "high" and isinstance(identity, int) and self.model == "avatar"

    def _settings(self) -> StylizeSettings:
        from triptych.systems.stylize.settings import preset

        changes = parse_key_values(self.set)
        for name, degrees, largest in (
            ("yaw_range", self.yaw_range_deg, 90),
            ("pitch_range", self.pitch_range_deg, 60),
        ):
            if degrees is not None:
                check_range(f"--{name.replace('_', '-')}-deg", degrees, 0, largest)
                changes = {name: math.radians(degrees)} | changes
        return preset(self.quality, changes)


def _identity(text: str) -> int | Path:
    """Return the seed or the portrait file that is meant."""
    if re.fullmatch(SEED, text):
        check_seed("--identity", int(text))
        return int(text)
    path = Path(text)
    if path.is_file():
        from triptych.portrait.portrait_file import check_is_portrait

        check_is_portrait(path)
        return path
    missing = "; there is no such file" if path.suffix else ""
    raise UserError(
        f"--identity: got '{text}'; expected a seed, 0 or more, or a portrait file{missing}"
    )
