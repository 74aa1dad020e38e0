"""A folder of photos as a training set: aligned crops, cameras, mirror images, confidence maps.

The folder that is written is what `photos.labelled_images` and EG3D read:

    NAME.png, NAME_mirror.png   crops; NAME is the photo's path with "__" for "/"
    dataset.json                {"labels": [[file, 25 camera numbers], ...]}
    conf_map/NAME.npy           uncertainty of the mirror image, where asked for
    report.json                 what became of every photo, and why some were dropped
    plan.json                   what was asked for
    progress.jsonl              one line per finished photo, from which a stopped run goes on
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triptych.camera import Camera
from triptych.errors import MissingDependency, UserError
from triptych.files import (
    PLAN_FILE,
    atomic_path,
    atomic_write,
    sha256_of,
    write_json,
)
from triptych.ops.colour import to_uint8
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import UnusableFace
from triptych.photos.mirror_uncertainty import mirror_uncertainty
from triptych.photos.output_names import output_names
from triptych.photos.photo_folder import MIRROR_SUFFIX, list_photos
from triptych.planned_folder import planned_folder
from triptych.progress import CountProgress, no_progress

_VERSION = 1
_PROGRESS, _LABELS, _REPORT = "progress.jsonl", "dataset.json", "report.json"
_MAPS = "conf_map"
_OWN_FILES = (_PROGRESS, _LABELS, _REPORT, PLAN_FILE, _MAPS)

Align = Callable[[Path], AlignedPhoto]
"""Aligns one photo or raises UserError."""


@dataclass(frozen=True)
class PreparePlan:
    """What decides the contents of a prepared set; two equal plans give the same files.

    Attributes:
        source: Folder of the photos.
        model: Whose framing the crops have.
        size: Side of the crops in pixels.
        mirror: Whether mirror images are written too.
        uncertainty: Whether maps of the mirror images' uncertainty are written.
        detector: What searched for faces.
        smallest_face: Faces narrower than this many pixels are dropped.
    """

    source: str
    model: str
    size: int
    mirror: bool
    uncertainty: bool
    detector: str
    smallest_face: int


@dataclass(frozen=True)
class PrepareSummary:
    """Counts of a finished run: photos used, photos dropped, and why, by reason."""

    used: int
    dropped: int
    reasons: dict[str, int]


def prepare_photos(
    out: str | Path,
    plan: PreparePlan,
    align: Align,
    *,
    overwrite: bool = False,
    progress: CountProgress = no_progress,
) -> PrepareSummary:
    """Align every photo of a folder; a stopped run goes on at the first unfinished photo.

    Args:
        out: Folder of the set (see the module's text).
        plan: What is asked for.
        align: How a photo is aligned.
        overwrite: Replace another set in the folder.
        progress: Called with (finished photos, all photos) after each photo.

    Raises:
        UserError: There are no photos, the folder holds something else, or no photo was usable.
    """
    folder, source = Path(out), Path(plan.source)
    if folder.resolve() == source.resolve():
        raise UserError(f"{folder} is the folder of the photos; choose another one for the set")
    photos = {path.relative_to(source).as_posix(): path for path in list_photos(source).photos}
    with _opened(folder, plan, overwrite=overwrite):
        return _align_all(folder, photos, plan, align, progress)


def _align_all(
    folder: Path,
    photos: dict[str, Path],
    plan: PreparePlan,
    align: Align,
    progress: CountProgress,
) -> PrepareSummary:
    done = _finished(folder)
    names = output_names(photos, _files, reserved=_OWN_FILES, kept=_names_of(done))
    originals = {record["sha256"]: name for name, record in done.items() if record["files"]}
    records = {}
    with open(folder / _PROGRESS, "a", encoding="utf-8") as log:
        for number, (name, path) in enumerate(photos.items(), start=1):
            record = done.get(name)
            if record is None or record["sha256"] != sha256_of(path):
                record = _prepare(folder, path, name, names[name], plan, align, originals)
                log.write(json.dumps({"photo": name, **record}) + "\n")
                log.flush()
            if record["files"]:
                originals.setdefault(record["sha256"], name)
            records[name] = record
            progress(number, len(photos))
    return _write_summary(folder, records)


def _prepare(
    folder: Path,
    path: Path,
    name: str,
    stem: str,
    plan: PreparePlan,
    align: Align,
    originals: dict[str, str],
) -> dict[str, Any]:
    """Write the files of one photo and return what became of it."""
    digest = sha256_of(path)
    dropped = {"sha256": digest, "files": {}}
    if (first := originals.get(digest)) is not None and first != name:
        return {**dropped, "reason": "the same picture again", "message": f"a copy of {first}"}
    try:
        aligned = align(path)
    except UnusableFace as error:
        return {**dropped, "reason": error.reason, "message": str(error)}
    except MissingDependency as error:
        return {**dropped, "reason": "a package is missing", "message": str(error)}
    except UserError as error:
        return {**dropped, "reason": "not a usable picture", "message": str(error)}
    pixels = to_uint8(aligned.image)[0].numpy()
    uncertainty = None
    if plan.uncertainty:
        uncertainty = mirror_uncertainty(aligned.image, aligned.landmarks, aligned.face.pairs)
    crop, mirror_image = _files(stem)
    files = {crop: _label(aligned.camera)}
    _write_crop(folder, crop, pixels, uncertainty)
    if plan.mirror:
        files[mirror_image] = _label(aligned.camera.mirrored())
        flipped = None if uncertainty is None else uncertainty[:, ::-1]
        _write_crop(folder, mirror_image, pixels[:, ::-1], flipped)
    return {
        "sha256": digest,
        "files": files,
        "detector": aligned.detector,
        "yaw_deg": round(float(np.degrees(aligned.face.yaw)), 2),
        "pitch_deg": round(float(np.degrees(aligned.face.pitch)), 2),
        "notes": list(aligned.notes),
    }


def _files(name: str) -> tuple[str, str]:
    """Return the files of a photo's crop and of its mirror image."""
    return f"{name}.png", f"{name}{MIRROR_SUFFIX}.png"


def _names_of(records: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the names that finished photos have, by photo."""
    return {
        photo: next(iter(record["files"])).removesuffix(".png")
        for photo, record in records.items()
        if record["files"]
    }


def _label(camera: Camera) -> list[float]:
    return [float(number) for number in camera.label25()[0]]


def _write_crop(
    folder: Path, file: str, pixels: np.ndarray, uncertainty: np.ndarray | None
) -> None:
    from PIL import Image

    if uncertainty is not None:
        (folder / _MAPS).mkdir(exist_ok=True)
        with atomic_write(folder / _MAPS / f"{Path(file).stem}.npy") as stream:
            np.save(stream, np.ascontiguousarray(uncertainty))
    with atomic_path(folder / file) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)


def _finished(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of photos whose files are all there; a cut-off last line is ignored."""
    records: dict[str, dict[str, Any]] = {}
    log = folder / _PROGRESS
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if all((folder / file).exists() for file in record["files"]):
            records[record.pop("photo")] = record
    return records


def _write_summary(folder: Path, records: dict[str, dict[str, Any]]) -> PrepareSummary:
    labels = [
        [file, label] for record in records.values() for file, label in record["files"].items()
    ]
    reasons: dict[str, int] = {}
    for record in records.values():
        if not record["files"]:
            reasons[record["reason"]] = reasons.get(record["reason"], 0) + 1
    used = sum(bool(record["files"]) for record in records.values())
    write_json(
        folder / _REPORT,
        {
            "used": used,
            "dropped": len(records) - used,
            "reasons": reasons,
            "photos": {
                name: {**record, "files": list(record["files"])} for name, record in records.items()
            },
        },
    )
    if not used:
        raise UserError(
            f"none of the {len(records)} photos could be used; {folder / _REPORT} says why"
        )
    write_json(folder / _LABELS, {"labels": labels})
    return PrepareSummary(used, len(records) - used, reasons)


def _opened(folder: Path, plan: PreparePlan, *, overwrite: bool) -> AbstractContextManager[None]:
    """Make or re-enter the folder of a set.

    Raises:
        UserError: It holds another set or other files, and may not be overwritten.
    """

    def clear(present: list[str]) -> None:
        if PLAN_FILE not in present:
            raise UserError(
                f"{folder} holds other files ({present[0]}, ...); choose another folder"
            )
        _remove_set(folder)

    return planned_folder(
        folder,
        {"version": _VERSION, **asdict(plan)},
        contents="set",
        overwrite=overwrite,
        clear=clear,
    )


def _remove_set(folder: Path) -> None:
    """Remove the files that an earlier set wrote, and nothing else."""
    for record in _finished(folder).values():
        for file in record["files"]:
            (folder / file).unlink(missing_ok=True)
            (folder / _MAPS / f"{Path(file).stem}.npy").unlink(missing_ok=True)
    for name in (_PROGRESS, _LABELS, _REPORT, PLAN_FILE):
        (folder / name).unlink(missing_ok=True)
