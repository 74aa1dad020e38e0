"""Which files of a folder are photos, and what else there is that may be taken for some."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import UserError
from triptych.files import PLAN_FILE
from triptych.photos.picture_file import PICTURE_SUFFIXES, is_picture_file

OVERLAY_SUFFIX, MIRROR_SUFFIX = "-overlay", "_mirror"

_RUN_FILES = ("run.json", PLAN_FILE)  # in every folder of results
_LABELS = "dataset.json"
# Pictures too, beside those that the system's list of file types knows.
_OTHER_PICTURES = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".exr", ".heics", ".jp2",
    ".jxl", ".kdc", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".psb", ".psd", ".raf", ".raw",
    ".rw2", ".rwl", ".sr2", ".srw", ".tga", ".x3f", ".xcf",
}  # fmt: skip
_NAMED = 3


@dataclass(frozen=True)
class PhotoFolder:
    """The photos below a folder, and what there is besides them.

    Attributes:
        photos: Files that are pictures by their name or their first bytes, in order of name.
        other_pictures: Files of kinds of pictures that cannot be read, such as raw ones.
        results: Folders of earlier runs, which were not searched.
    """

    photos: tuple[Path, ...]
    other_pictures: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()

    def notes(self) -> list[str]:
        """Say in one line each what was left out that a person may take for photos."""
        notes = []
        if self.other_pictures:
            notes.append(
                f"left out: {_named(self.other_pictures)} of kinds that cannot be read; "
                "save them as JPEG or PNG first"
            )
        if self.results:
            notes.append(f"left out: {_named(self.results)} with results of earlier runs")
        return notes


def list_photos(folder: str | Path) -> PhotoFolder:
    """Search a folder with its subfolders for photos.

    Hidden files are left out, and so is what this package made: subfolders that hold a run's
    record, overlays of alignments and mirror images of prepared sets.

    Raises:
        UserError: It is no folder, cannot be searched, or no photo is in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder; expected a folder of photos")
    photos: list[Path] = []
    others: list[Path] = []
    results: list[Path] = []
    for place, names in _searched(root, results):
        for name in names:
            path = place / name
            if not path.is_file() or _is_made_from_a_photo(path):
                continue
            if is_picture_file(path):
                photos.append(path)
            elif _is_other_picture(path):
                others.append(path)
    listing = PhotoFolder(tuple(sorted(photos)), tuple(sorted(others)), tuple(sorted(results)))
    if not photos:
        found = "; ".join([f"no photos below {root}", *listing.notes()])
        raise UserError(f"{found}; expected files ending in {', '.join(PICTURE_SUFFIXES)}")
    return listing


def _searched(root: Path, results: list[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders from a root down with the names of their visible files.

    Args:
        root: Where to begin; it is searched whatever it holds.
        results: Folders of earlier runs are added to it instead.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot search {error.filename}: {error.strerror}") from error

    for place, folders, names in os.walk(root, onerror=refuse, followlinks=False):
        visible = [Path(place, name) for name in folders if not name.startswith(".")]
        made = [path for path in visible if any((path / file).is_file() for file in _RUN_FILES)]
        results += made
        folders[:] = [path.name for path in visible if path not in made]
        yield Path(place), [name for name in names if not name.startswith(".")]


def _is_made_from_a_photo(path: Path) -> bool:
    """Say whether a picture is an overlay beside its record, or a mirror image in a set."""
    stem = path.stem
    if stem.endswith(OVERLAY_SUFFIX):
        return path.with_name(f"{stem.removesuffix(OVERLAY_SUFFIX)}.json").is_file()
    original = path.with_name(f"{stem.removesuffix(MIRROR_SUFFIX)}{path.suffix}")
    return original != path and original.is_file() and path.with_name(_LABELS).is_file()


def _is_other_picture(path: Path) -> bool:
    kind, _ = mimetypes.guess_type(path.name)
    return path.suffix.lower() in _OTHER_PICTURES or (kind or "").startswith("image/")


def _named(paths: tuple[Path, ...]) -> str:
    names = ", ".join(path.name for path in paths[:_NAMED])
    return names if len(paths) <= _NAMED else f"{names} and {len(paths) - _NAMED} more"
