"""`triptych align`: photos become upright crops with the camera that belongs to each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

import triptych
from triptych.cli.options import DeviceName
from triptych.errors import UserError, check_range
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder


@dataclass(frozen=True)
class Align:
    """Find the face in a photo, crop it as a model expects and estimate its camera.

    The folder gets, for each photo, the crop (.png), its camera and what was measured (.json), and
    a picture that shows box, landmarks and head axes (-overlay.png). A folder of photos also gets
    a report, and its cameras in one dataset.json.
    """

    photo: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """A photo, or a folder of photos."""
    out: Path = Path("aligned")
    """Folder for the results."""
    model: str = "avatar"
    """Which generator the crops are for: a name from `triptych models`, or a file."""
    face: int = 1
    """Which face, where there are several: 1 is the largest."""
    detector: Literal["auto", "mediapipe", "avatar"] = "auto"
    """Face detector; auto: mediapipe for photographs, the avatar network for avatars and
    for what mediapipe does not find."""
    size: int = 512
    """Side of the crops in pixels, 64 to 2048."""
    device: DeviceName = "auto"
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--size", self.size, 64, 2048)
        check_range("--face", self.face, 1, 100)
        photos = self._photos()
        from triptych.photos.alignment_files import alignment_names, check_photos_stay
        from triptych.runs.device import choose_device
        from triptych.runs.record import file_record, run_record
        from triptych.weights.framing_of_model import framing_of_model

        framing, device = framing_of_model(self.model), choose_device(self.device)
        plan = {
            "verb": "align",
            "triptych": triptych.__version__,
            "photos": [file_record(path) for path in photos.values()],
            "model": self.model,
            "face": self.face,
            "detector": self.detector,
            "size": self.size,
        }
        names = alignment_names(photos)
        check_photos_stay(photos.values(), self.out, names.values())
        folder = OutputFolder.open(self.out, plan, overwrite=self.overwrite)
        if folder.done_before():
            return
        started = time.monotonic()
        with folder:
            from triptych.photos.aligner import PhotoAligner
            from triptych.photos.alignment_files import PhotoAlignment

            aligner = PhotoAligner(framing, detector=self.detector, size=self.size).to(device)
            alignment = PhotoAlignment(aligner, self.model, self.face)
            if self.photo.is_dir():
                with console.progress("aligning", len(photos)) as step:
                    used = alignment.write_all(photos, folder.staging, warn=console.warn, step=step)
                console.note(f"{used} of {len(photos)} photos aligned")
            else:
                ((name, path),) = photos.items()
                record = alignment.write(path, names[name], folder.staging)
                for note in record["notes"]:
                    console.warn(note)
            folder.publish(run_record(started, device))
        console.result(str(self.out))

    def _photos(self) -> dict[str, Path]:
        """Return the photos by what their files are named after."""
        if self.photo.is_dir():
            from triptych.photos.photo_folder import list_photos

            listing = list_photos(self.photo)
            for note in listing.notes():
                console.warn(note)
            return {path.relative_to(self.photo).as_posix(): path for path in listing.photos}
        if not self.photo.exists():
            raise UserError(f"there is no photo {self.photo}")
        return {f"{self.photo.stem}.png": self.photo}
