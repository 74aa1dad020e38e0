"""Pictures to make portraits of: photos, and crops that come with their cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.files import read_json
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.photo_folder import list_photos

LABELS_FILE = "dataset.json"
_LABEL_DIM = 25


@dataclass(frozen=True, eq=False)
class PictureSource:
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


def sources_of(photo: Path, warn: Callable[[str], None]) -> list[PictureSource]:
    """Return what a path holds.

    A picture beside a JSON file of its name with a camera in it, as `triptych align` leaves them,
    is aligned; so are the pictures of a folder's dataset.json. All others are photos.

    Args:
        photo: A picture, or a folder of them.
        warn: Called with what was left out that a person may take for photos.

    Raises:
        UserError: There is no such path, or no picture in it.
    """
    if (photo / LABELS_FILE).is_file():
        labelled = LabelledImages(photo)
        return [
            PictureSource(name, photo / name, labelled.camera[index])
            for index, name in enumerate(labelled.names)
        ]
    if photo.is_dir():
        listing = list_photos(photo)
        for note in listing.notes():
            warn(note)
        return [_source(path.relative_to(photo).as_posix(), path) for path in listing.photos]
    if not photo.exists():
        raise UserError(f"there is no photo {photo}")
    return [_source(photo.name, photo)]


def _source(name: str, path: Path) -> PictureSource:
    record = path.with_suffix(".json")
    if not record.is_file():
        return PictureSource(name, path)
    content = read_json(record)
    label = content.get("camera") if isinstance(content, dict) else None
    if not isinstance(label, list) or len(label) != _LABEL_DIM:
        return PictureSource(name, path)
    camera = Camera.from_json(label, f"{record}: the camera")
    return PictureSource(name, path, camera, content.get("model"))
