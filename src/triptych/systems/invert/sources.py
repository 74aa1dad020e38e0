"""What `triptych invert` is given: photos to align, or pictures that are aligned already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.files import read_json
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.prepared_set import crop_name, photos_below

LABELS_FILE = "dataset.json"
_OVERLAY = "-overlay"
_LABEL_DIM = 25


@dataclass(frozen=True, eq=False)
class Source:
    """One picture.

    Attributes:
        name: What it is called in reports: its path below the folder.
        path: The file.
        camera: The camera of an aligned picture; None for a photo.
        model: For which model it was aligned, where that is known.
    """

    name: str
    path: Path
    camera: Camera | None = None
    model: str | None = None


def sources_of(photo: Path) -> list[Source]:
    """Return what a path holds.

    A picture beside a JSON file of its name with a camera in it, as `triptych align` leaves them,
    is aligned; so are the pictures of a folder's dataset.json. All others are photos.

    Raises:
        UserError: There is no such path, or no picture in it.
    """
    if (photo / LABELS_FILE).is_file():
        labelled = LabelledImages(photo)
        return [
            Source(name, photo / name, labelled.camera[index])
            for index, name in enumerate(labelled.names)
        ]
    if photo.is_dir():
        paths = [path for path in photos_below(photo) if not _is_overlay(path)]
        return [_source(path.relative_to(photo).as_posix(), path) for path in paths]
    if not photo.exists():
        raise UserError(f"there is no photo {photo}")
    return [_source(photo.name, photo)]


def folder_names(sources: list[Source]) -> dict[str, str]:
    """Return a folder name for each source's name, no two alike."""
    names: dict[str, str] = {}
    for source in sources:
        stem = crop_name(source.name)
        if stem in names.values():
            stem = f"{stem}_{source.path.suffix.lower().lstrip('.')}"
        names[source.name] = stem
    return names


def _source(name: str, path: Path) -> Source:
    record = path.with_suffix(".json")
    if not record.is_file():
        return Source(name, path)
    said = read_json(record)
    label = said.get("camera") if isinstance(said, dict) else None
    if not isinstance(label, list) or len(label) != _LABEL_DIM:
        return Source(name, path)
    camera = Camera.from_label25(torch.tensor([[float(number) for number in label]]))
    return Source(name, path, camera, said.get("model"))


def _is_overlay(path: Path) -> bool:
    """Say whether a picture is what `triptych align` drew over a photo."""
    stem, found, rest = path.stem.rpartition(_OVERLAY)
    return bool(found) and not rest and (path.parent / f"{stem}.json").is_file()
