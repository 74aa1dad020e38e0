"""`triptych data prepare`: a folder of photos becomes a training set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import DeviceName
from triptych.errors import check_range
from triptych.runs import console


@dataclass(frozen=True)
class Prepare:
    """Align all photos of a folder into what training reads.

    OUT gets the crops, their cameras in EG3D's dataset.json, mirror images with mirrored cameras,
    and a report of what was dropped and why. A stopped run goes on where it was.
    """

    photos: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Folder of photos, searched with its subfolders."""
    out: Path
    """Folder of the training set."""
    model: str = "avatar"
    """Which generator the crops are for: a name from `triptych models`, or a file."""
    size: int = 512
    """Side of the crops in pixels, 64 to 2048."""
    no_mirror: bool = False
    """Leave the mirror images out."""
    confidence: bool = False
    """Also write, per crop, how far its mirror image can be trusted (conf_map/)."""
    smallest_face: int = 64
    """Drop faces narrower than this many pixels, 16 to 2000."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; see triptych align."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace another set in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--size", self.size, 64, 2048)
        check_range("--smallest-face", self.smallest_face, 16, 2000)
        from triptych.photos.photo_folder import list_photos
        from triptych.photos.prepared_set import PreparePlan, prepare_photos
        from triptych.runs.device import choose_device
        from triptych.weights.framing_of_model import framing_of_model

        for note in list_photos(self.photos).notes():
            console.warn(note)
        framing, device = framing_of_model(self.model), choose_device(self.device)
        from triptych.photos.aligner import AlignmentLimits, PhotoAligner

        aligner = PhotoAligner(
            framing,
            detector=self.detector,
            size=self.size,
            limits=AlignmentLimits(smallest_face=self.smallest_face),
        ).to(device)
        plan = PreparePlan(
            source=str(self.photos),
            model=self.model,
            size=self.size,
            mirror=not self.no_mirror,
            uncertainty=self.confidence,
            detector=self.detector,
            smallest_face=self.smallest_face,
        )
        with console.stages() as report:
            summary = prepare_photos(
                self.out,
                plan,
                aligner,
                overwrite=self.overwrite,
                progress=lambda done, total: report("aligning", done, total),
            )
        for reason, count in sorted(summary.reasons.items(), key=lambda item: -item[1]):
            console.warn(f"{count} dropped: {reason}")
        console.note(
            f"{summary.used} photos used, {summary.dropped} dropped; "
            f"{self.out / 'report.json'} lists them"
        )
        console.result(str(self.out))
