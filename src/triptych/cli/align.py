"""`triptych align`: photos become upright crops with the camera that belongs to each."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

import triptych
from triptych.errors import UserError, check_range
from triptych.files import write_json
from triptych.runs import console
from triptych.runs.output_folder import OutputFolder

if TYPE_CHECKING:
    from triptych.photos.aligned_photo import AlignedPhoto
    from triptych.photos.aligner import PhotoAligner
    from triptych.photos.face import Face
    from triptych.photos.photo import Photo

LABELS_FILE, REPORT_FILE = "dataset.json", "report.json"


@dataclass(frozen=True)
class Align:
    """Find the face in a photo, crop it as a model expects and say from where it is seen.

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
    """What looks for faces; auto: mediapipe for photographs, the avatar network for avatars and
    for what mediapipe does not find."""
    size: int = 512
    """Side of the crops in pixels, 64 to 2048."""
    overwrite: bool = False
    """Replace earlier results in the folder."""

    def run(self) -> None:
        """Do the work."""
        check_range("--size", self.size, 64, 2048)
        check_range("--face", self.face, 1, 100)
        photos = self._photos()
        from triptych.runs.record import file_record, run_record
        from triptych.weights.framing_of_model import framing_of_model

        framing = framing_of_model(self.model)
        plan = {
            "verb": "align",
            "triptych": triptych.__version__,
            "photos": [file_record(path) for path in photos],
            "model": self.model,
            "face": self.face,
            "detector": self.detector,
            "size": self.size,
        }
        folder = OutputFolder.open(self.out, plan, overwrite=self.overwrite)
        if folder.finished:
            console.note(f"{self.out} already holds this very run; nothing to do")
            return
        started = time.monotonic()
        with folder:
            from triptych.photos.aligner import PhotoAligner

            aligner = PhotoAligner(framing, detector=self.detector, size=self.size)
            if self.photo.is_dir():
                self._align_folder(photos, aligner, folder.staging)
            else:
                self._align_one(photos[0], photos[0].stem, aligner, folder.staging, notes=True)
            folder.publish(run_record(started))
        console.result(str(self.out))

    def _photos(self) -> list[Path]:
        if self.photo.is_dir():
            from triptych.photos.prepared_set import photos_below

            return photos_below(self.photo)
        if not self.photo.exists():
            raise UserError(f"there is no photo {self.photo}")
        return [self.photo]

    def _align_folder(self, photos: list[Path], aligner: PhotoAligner, folder: Path) -> None:
        """Align all photos of a folder; those that cannot be used are listed in the report."""
        from triptych.photos.prepared_set import crop_name

        report: dict[str, Any] = {}
        labels = []
        with console.progress("aligning", len(photos)) as step:
            for path in photos:
                name = path.relative_to(self.photo).as_posix()
                stem = crop_name(name)
                if (folder / f"{stem}.png").exists():
                    stem = f"{stem}_{path.suffix.lower().lstrip('.')}"
                try:
                    record = self._align_one(path, stem, aligner, folder, notes=False)
                    report[name] = {"aligned": True, "crop": f"{stem}.png", **_short(record)}
                    labels.append([f"{stem}.png", record["camera"]])
                except UserError as error:
                    report[name] = {"aligned": False, "reason": str(error)}
                step()
        refused = {name: row["reason"] for name, row in report.items() if not row["aligned"]}
        for name, reason in refused.items():
            console.warn(f"{name}: {reason}")
        if len(refused) == len(photos):
            raise UserError(f"none of the {len(photos)} photos in {self.photo} could be aligned")
        console.note(f"{len(photos) - len(refused)} of {len(photos)} photos aligned")
        write_json(folder / LABELS_FILE, {"labels": labels})
        write_json(folder / REPORT_FILE, report)

    def _align_one(
        self, path: Path, stem: str, aligner: PhotoAligner, folder: Path, *, notes: bool
    ) -> dict[str, Any]:
        """Align a photo, write its three files and return what the JSON file says."""
        from triptych.export.pictures import colour_picture, save_png
        from triptych.photos.overlay import alignment_overlay
        from triptych.photos.photo import read_photo

        photo = read_photo(path)
        aligned, faces = aligner.align_one_of(photo, face=self.face)
        if notes:
            for note in aligned.notes:
                console.warn(note)
        record = _record(photo, aligned, faces, self.model)
        save_png(folder / f"{stem}.png", colour_picture(aligned.image[0]))
        save_png(folder / f"{stem}-overlay.png", alignment_overlay(photo.pixels, aligned, faces))
        write_json(folder / f"{stem}.json", record)
        return record


def _record(photo: Photo, aligned: AlignedPhoto, faces: list[Face], model: str) -> dict[str, Any]:
    face, window = aligned.face, aligned.window
    return {
        "photo": photo.name,
        "model": model,
        "camera": [float(number) for number in aligned.camera.label25()[0]],
        "yaw_deg": _degrees(face.yaw),
        "pitch_deg": _degrees(face.pitch),
        "roll_deg": _degrees(face.roll),
        "detector": aligned.detector,
        "score": round(face.score, 4),
        "faces": len(faces),
        "face_width_px": round(face.width, 1),
        "box": _rounded(face.box),
        "crop": {
            "x": round(window.x, 2),
            "y": round(window.y, 2),
            "side": round(window.side, 2),
            "roll_deg": _degrees(window.roll),
        },
        "share_outside": round(aligned.share_outside, 4),
        "five_points": [_rounded(point) for point in face.five],
        "landmarks": [_rounded(point) for point in aligned.landmarks],
        "notes": list(aligned.notes),
    }


def _short(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("detector", "yaw_deg", "pitch_deg", "faces", "notes")}


def _degrees(angle: float) -> float:
    return round(math.degrees(angle), 2)


def _rounded(numbers: Any) -> list[float]:
    return [round(float(number), 2) for number in numbers]
