"""`triptych evaluate inversion`: 3DpSp's table, on unseen avatars or on aligned photos."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from triptych.cli.options import DeviceName, KeyValues, MaybeInt, MaybeName, MaybePath
from triptych.errors import check_range
from triptych.runs import console

if TYPE_CHECKING:
    from triptych.systems.invert.settings import InvertSettings


@dataclass(frozen=True)
class Inversion:
    """Invert pictures by every method and compare: mean latent, pSp, each step, refinements.

    Heads that are measured stay in OUT/heads; a stopped evaluation goes on where it was.
    """

    out: Path
    """Folder for inversion.json, inversion.md, the plot and the sheet."""
    heads: int = 50
    """Number of heads; 2 or more."""
    seed: int = 0
    """Seed of the first avatar; seeds below 10000 are never trained on."""
    photos: MaybePath = None
    """Folder of aligned photos with dataset.json, instead of avatars."""
    model: str = "avatar"
    """Generator: avatar, a name from `triptych models`, or a file."""
    encoder: str = "avatar-psp"
    """3DpSp encoder: a name from `triptych models`, or a file."""
    psp_baseline: MaybeName = None
    """Encoder trained as pSp (one step, no camera), a name or a file. By default the embedded one
    beside the embedded 3DpSp; beside others, they make one step with a frontal camera."""
    steps: MaybeInt = None
    """Steps of the encoder; by default as many as it was trained for."""
    direct_steps: int = 100
    """Steps of the optimisation from the mean; 0 leaves it out."""
    schedule: Literal["short", "published"] = "short"
    """Steps and rates of the refinements; see triptych invert."""
    set: KeyValues = ()
    """Individual settings of the inversion as KEY=VALUE."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; measured heads are kept."""

    def run(self) -> None:
        """Do the work."""
        check_range("--heads", self.heads, 2, 10_000)
        check_range("--direct-steps", self.direct_steps, 0, 100_000)
        settings = self._settings()
        from triptych.runs.device import choose_device
        from triptych.runs.report_file import publish, report_folder
        from triptych.systems.invert.evaluation.job import InversionEvaluation

        device = choose_device(self.device)
        with report_folder(self.out, "inversion", overwrite=self.overwrite):
            evaluation = InversionEvaluation(
                model=self.model,
                encoder=self.encoder,
                psp_baseline=self.psp_baseline,
                heads=self.heads,
                first_seed=self.seed,
                photos=self.photos,
                pack=self.pack,
                direct_steps=self.direct_steps,
                settings=settings,
            )
            with console.stages() as progress:
                report = evaluation.run(self.out, device, progress)
            publish(report, self.out, device)

    def _settings(self) -> InvertSettings:
        from triptych.cli.options import changed, parse_key_values
        from triptych.config import from_dict, to_dict
        from triptych.systems.invert.settings import InvertSettings, schedule

        chosen = dataclasses.replace(schedule(self.schedule), steps=self.steps, refine="pti")
        return from_dict(InvertSettings, changed(to_dict(chosen), parse_key_values(self.set)))
