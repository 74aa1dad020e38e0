"""`triptych evaluate lift`: likenesses beside what else a photo can become."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from triptych.cli.options import DeviceName, MaybePath, MaybePaths
from triptych.errors import UserError, check_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from triptych.camera import Camera
    from triptych.portrait import TriPlanePortrait


@dataclass(frozen=True)
class LiftLikeness:
    """Lift photos and compare the likenesses with avatars and with planes of the photo alone.

    Known heads are unseen avatars and finished likenesses, rendered from several sides; of people,
    only the photo is known. What is measured stays in OUT/heads; a stopped
    evaluation goes on where it was.
    """

    out: Path
    """Folder for lift.json, lift.md and the sheet lift.png."""
    count: int = 30
    """Number of unseen avatars."""
    seed: int = 0
    """Seed of the first avatar; seeds below 10000 are never trained on."""
    likenesses: MaybePaths = ()
    """Portrait files of triptych lift: they are photographed and lifted again."""
    photos: MaybePath = None
    """A photo or a folder of photos of people."""
    yaws_deg: tuple[float, ...] = (0.0, 15.0, 30.0)
    """Sides from which known heads are photographed."""
    quality: Literal["draft", "standard"] = "standard"
    """Quality of the lift."""
    without_inversion: bool = False
    """Leave out what triptych invert makes: codes in W+, and the tuned generator (PTI)."""
    alone: bool = False
    """Measure the lift alone, without what it is compared with: in a third of the time."""
    model: str = "avatar"
    """Generator of avatars: avatar, a name from `triptych models`, or a file."""
    pack: MaybePath = None
    """Head asset pack; the embedded one by default."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace an earlier report in the folder; measured photos are kept."""

    def run(self) -> None:
        """Do the work."""
        check_range("--count", self.count, 0, 10_000)
        for degrees in self.yaws_deg:
            check_range("--yaws-deg", degrees, -35, 35)
        from triptych.photos.picture_source import sources_of
        from triptych.runs import console
        from triptych.runs.device import choose_device
        from triptych.systems.lift.evaluation.job import LiftEvaluation, evaluate_lift
        from triptych.systems.lift.settings import preset

        for file in self.likenesses:
            if not file.is_file():
                raise UserError(f"--likenesses: there is no file {file}")
        photos = [] if self.photos is None else sources_of(self.photos, console.warn)
        evaluation = LiftEvaluation(
            count=self.count,
            first_seed=self.seed,
            likenesses=self.likenesses,
            photos=tuple(photos),
            yaws=tuple(math.radians(degrees) for degrees in self.yaws_deg),
            settings=preset(self.quality),
            alone=self.alone,
        )
        device = choose_device(self.device)
        without = self.without_inversion or self.alone
        evaluate_lift(
            self.model,
            evaluation,
            self.out,
            load_rival=None if without else lambda: _Inversion(self.model, device),
            pack=self.pack,
            device=device,
            overwrite=self.overwrite,
        )


class _Inversion:
    """The avatar that `triptych invert` finds, by its codes alone and with tuned weights."""

    def __init__(self, model: str, device: torch.device) -> None:
        from triptych.systems.invert.pipeline import InvertPipeline
        from triptych.systems.invert.settings import InvertSettings

        self._pipeline = InvertPipeline.from_pretrained(model, device=device)
        self._settings = dataclasses.replace(InvertSettings(), refine="pti")

    def plan(self) -> dict[str, Any]:
        """Return what decides the avatars, as JSON values."""
        from triptych.config import to_dict

        return {"settings": to_dict(self._settings), "hashes": self._pipeline.hashes}

    def __call__(self, person: Tensor, camera: Camera) -> Mapping[str, TriPlanePortrait]:
        """Invert a person over the plain background."""
        found = self._pipeline(person, camera=camera, settings=self._settings)
        portraits = {stage.name: stage.portrait for stage in found.stages}
        return {"W+ avatar": portraits["w+"], "PTI": portraits["pti"]}
