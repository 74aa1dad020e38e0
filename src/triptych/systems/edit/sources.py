"""What can be edited: photos, aligned pictures with their cameras, portraits, folders of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from triptych.errors import UserError
from triptych.photos.picture_source import PictureSource, sources_of
from triptych.portrait.portrait_file import check_is_portrait

PORTRAIT_SUFFIX = ".safetensors"


def edit_sources(place: Path, warn: Callable[[str], None]) -> list[PictureSource]:
    """Return what a path holds.

    Args:
        place: A photo, a portrait file, or a folder. Pictures beside a portrait of their name, as
            `triptych generate` leaves them, show that portrait and are left out.
        warn: Called with what was left out that a person may take for photos.

    Raises:
        UserError: There is nothing to edit.
    """
    if is_portrait(place) and place.is_file():
        check_is_portrait(place)
        return [PictureSource(place.stem, place)]
    if not place.is_dir():
        return sources_of(place, warn)
    files = sorted(path for path in place.glob(f"*{PORTRAIT_SUFFIX}") if path.is_file())
    portraits = [PictureSource(path.stem, path) for path in files]
    stems = {path.stem for path in files}
    try:
        pictures = sources_of(place, warn)
    except UserError:
        if not portraits:
            raise
        pictures = []
    others = [
        source
        for source in pictures
        if source.path.parent != place or source.path.stem not in stems
    ]
    return portraits + others


def is_portrait(path: Path) -> bool:
    """Say whether a file is a portrait by its name."""
    return path.suffix.lower() == PORTRAIT_SUFFIX
