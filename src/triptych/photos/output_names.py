"""Names of results in one folder: one for each photo, no two alike on any file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, count

_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 180  # bytes: file systems take 255, and endings are added


def output_names(
    photos: Iterable[str],
    files_of: Callable[[str], Iterable[str]],
    *,
    reserved: Iterable[str] = (),
    kept: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Give each photo a name under which its results cannot meet those of another.

    Args:
        photos: Paths of the photos below their folder, with "/".
        files_of: The files that are written under a name.
        reserved: Files that the folder has besides.
        kept: Names that some of the photos have from an earlier run.

    Returns:
        Name by photo: `crop_name`, with its ending or a number added where that is needed.
    """
    names = dict(kept or {})
    used = {_folded(file) for file in chain(reserved, *(files_of(name) for name in names.values()))}
    for photo in photos:
        if photo in names:
            continue
        for name in _candidates(photo):
            files = {_folded(file) for file in files_of(name)}
            if not files & used:
                break
        names[photo] = name
        used |= files
    return names


def crop_name(photo: str) -> str:
    """Return the usual name for a photo's results: its path with "__" for "/" and no ending.

    Endings other than .jpg, .jpeg and .png are kept, with "_" for the dot. Undecodable bytes and
    control characters become "_": not every file system and no list of files in JSON takes them.
    """
    folder, slash, file = _UNWRITABLE.sub("_", photo).rpartition("/")
    stem, dot, suffix = file.rpartition(".")
    if not dot:
        stem, suffix = file, ""
    flat = (folder + slash + stem).replace("/", "__")
    usual = not suffix or suffix.lower() in ("jpg", "jpeg", "png")
    return _shortened(flat if usual else f"{flat}_{suffix.lower()}")


def _candidates(photo: str) -> Iterable[str]:
    name, suffix = crop_name(photo), photo.rpartition(".")[2].lower()
    yield name
    if suffix.isalnum() and not name.endswith(f"_{suffix}"):
        yield f"{name}_{suffix}"
    for number in count(2):
        yield f"{name}_{number}"


def _shortened(name: str) -> str:
    """Cut a name that file systems would refuse, keeping it different from other such names."""
    coded = name.encode("utf-8")
    if len(coded) <= _LONGEST:
        return name
    start = coded[: _LONGEST - 9].decode("utf-8", "ignore")
    return f"{start}_{hashlib.sha256(coded).hexdigest()[:8]}"


def _folded(file: str) -> str:
    """Return what two names have in common that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", file).casefold())
