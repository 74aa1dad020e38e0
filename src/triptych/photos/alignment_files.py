"""The files of `triptych align`: crops, their cameras, pictures of what was found, a report.

NAME.png            the crop
NAME.json           its camera and what was measured
NAME-overlay.png    box, landmarks, head axes and outline of the crop
dataset.json        of a folder of photos: all cameras, in EG3D's format
report.json         of a folder of photos: what became of each, and why some could not be used
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import UserError
from triptych.export.pictures import colour_picture, save_png
from triptych.files import write_json
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import PhotoAligner
from triptych.photos.detectors.face import Face
from triptych.photos.output_names import output_names
from triptych.photos.overlay import alignment_overlay
from triptych.photos.photo import Photo, read_photo
from triptych.photos.photo_folder import OVERLAY_SUFFIX
from triptych.progress import Step, no_progress

LABELS_FILE, REPORT_FILE = "dataset.json", "report.json"
_RESERVED = (LABELS_FILE, REPORT_FILE, "run.json")


def alignment_files(name: str) -> tuple[str, str, str]:
    """Return the files of an aligned photo: crop, overlay, camera."""
    return f"{name}.png", f"{name}{OVERLAY_SUFFIX}.png", f"{name}.json"


def alignment_names(photos: Iterable[str]) -> dict[str, str]:
    """Return the name of each photo's files, by its path below its folder."""
    return output_names(photos, alignment_files, reserved=_RESERVED)


def check_photos_stay(photos: Iterable[Path], folder: Path, names: Iterable[str]) -> None:
    """Check that no result in a folder replaces one of the photos.

    Raises:
        UserError: One would.
    """
    results = {(folder / file).resolve() for name in names for file in alignment_files(name)}
    for photo in photos:
        if photo.resolve() in results:
            raise UserError(
                f"the results in {folder} would replace the photo {photo}; choose another --out"
            )


@dataclass(frozen=True)
class PhotoAlignment:
    """How photos are aligned into a folder.

    Attributes:
        aligner: Finds and crops the faces.
        model: Name or file of the model that the crops are for; it goes into the records.
        face: Which face of each photo: 1 is the largest.
    """

    aligner: PhotoAligner
    model: str
    face: int = 1

    def write(self, path: Path, stem: str, folder: Path) -> dict[str, Any]:
        """Align a photo, write its three files and return what the JSON file says.

        Raises:
            UserError: The photo cannot be read, or no face in it can be used.
        """
        photo = read_photo(path)
        aligned, faces = self.aligner.align_one_of(photo, face=self.face)
        record = _record(photo, aligned, faces, self.model)
        overlay = alignment_overlay(photo.pixels, aligned, faces)
        crop, drawing, camera = alignment_files(stem)
        save_png(folder / crop, colour_picture(aligned.image[0]))
        save_png(folder / drawing, overlay)
        write_json(folder / camera, record)
        return record

    def write_all(
        self,
        photos: Mapping[str, Path],
        folder: Path,
        *,
        warn: Callable[[str], None] = no_progress,
        step: Step = no_progress,
    ) -> int:
        """Align photos of a folder, write labels and report, and return how many were used.

        Args:
            photos: The photos, by their paths below their folder.
            folder: Where to write.
            warn: Called with the reason where a photo cannot be used.
            step: Called after each photo.

        Raises:
            UserError: None could be used.
        """
        report: dict[str, Any] = {}
        labels = []
        for name, stem in alignment_names(photos).items():
            try:
                record = self.write(photos[name], stem, folder)
                report[name] = {"aligned": True, "crop": f"{stem}.png", **_short(record)}
                labels.append([f"{stem}.png", record["camera"]])
            except UserError as error:
                report[name] = {"aligned": False, "reason": str(error)}
                warn(f"{name}: {error}")
            step()
        if not labels:
            raise UserError(f"none of the {len(photos)} photos could be aligned")
        write_json(folder / LABELS_FILE, {"labels": labels})
        write_json(folder / REPORT_FILE, report)
        return len(labels)


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
