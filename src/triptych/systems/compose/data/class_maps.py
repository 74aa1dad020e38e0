"""The maps of classes that belong to pictures: one file each, or CelebAMask-HQ's file per part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError, check_choice
from triptych.files import read_json
from triptych.systems.compose.region_masks import (
    AVATAR_TABLE,
    BISENET_IDS,
    MASK_CLASSES,
    PUBLISHED_TABLE,
    RegionTable,
    remapped,
)
from triptych.systems.compose.regions import AVATAR_ORDER, PUBLISHED_ORDER

Bytes = NDArray[np.uint8]

_PARTS_DIGITS = 5
_MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Numbering:
    """What the numbers in maps of classes mean.

    Attributes:
        ids: Our number of each of theirs.
        table: Which of our numbers make which region.
        regions: Names of the regions.
    """

    ids: dict[int, int]
    table: RegionTable
    regions: tuple[str, ...]


NUMBERINGS = {
    "celebamask": Numbering(
        {number: number for number in range(len(MASK_CLASSES))}, PUBLISHED_TABLE, PUBLISHED_ORDER
    ),
    "bisenet": Numbering(dict(enumerate(BISENET_IDS)), PUBLISHED_TABLE, PUBLISHED_ORDER),
    "avatar": Numbering(
        {number: number for number in range(len(AVATAR_ORDER))}, AVATAR_TABLE, AVATAR_ORDER
    ),
}


def numbering(name: str) -> Numbering:
    """Return a numbering by its name, or the one of a JSON file {their number: ours}.

    Ours are CelebAMask-HQ's; see `region_masks.MASK_CLASSES`.

    Raises:
        UserError: There is no such name, or the file holds something else.
    """
    if not name.endswith(".json"):
        check_choice("--classes", name, (*NUMBERINGS, "FILE.json"))
        if name in NUMBERINGS:
            return NUMBERINGS[name]
        raise UserError("--classes: FILE.json stands for the path of a file; give that")
    content = read_json(name)
    try:
        ids = {int(theirs): int(ours) for theirs, ours in content.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f'{name}: expected {{"their number": our number, ...}} of whole numbers'
        ) from error
    numbers = {*ids, *ids.values()}
    if not ids or min(numbers) < 0 or max(ids) > 255 or max(ids.values()) >= len(MASK_CLASSES):
        raise UserError(
            f"{name}: expected their numbers from 0 to 255 and ours from 0 to "
            f"{len(MASK_CLASSES) - 1}"
        )
    return Numbering(ids, PUBLISHED_TABLE, PUBLISHED_ORDER)


class ClassMaps:
    """The maps below a folder.

    A picture's map is the file of the same path or name, `.png` or `.npy`; or CelebAMask-HQ's
    files `00012_hair.png`, one for each part, of picture 12. Later parts lie over earlier ones.

    Args:
        folder: Where they are.
        numbers: What their numbers mean.
        pictures: Folder of the pictures.
    """

    def __init__(self, folder: str | Path, numbers: Numbering, pictures: str | Path) -> None:
        self._folder, self._numbers, self._pictures = Path(folder), numbers, Path(pictures)
        if not self._folder.is_dir():
            raise UserError(f"{self._folder} is not a folder; expected a folder of masks")
        self._files: dict[str, Path] = {}
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in (".png", ".npy") and not path.name.startswith("."):
                self._files.setdefault(str(path.relative_to(self._folder).with_suffix("")), path)
                self._files.setdefault(path.stem, path)

    def of(self, photo: Path) -> Bytes:
        """Return the map [h, w] of a picture, in our numbers.

        Raises:
            UserError: There is none, or it is broken or of other numbers.
        """
        picture = str(photo.relative_to(self._pictures).with_suffix(""))
        found = self._files.get(picture) or self._files.get(photo.stem)
        if found is not None:
            try:
                return remapped(_read(found), self._numbers.ids)
            except UserError as error:
                raise UserError(f"{found}: {error}") from error
        parts = self._parts(photo.stem)
        if not parts:
            raise UserError(
                f"the picture {picture} has no mask below {self._folder}; expected "
                f"{photo.stem}.png, {photo.stem}.npy or files of parts such as "
                f"{photo.stem.zfill(_PARTS_DIGITS)}_hair.png"
            )
        return self._joined(parts)

    def _parts(self, name: str) -> dict[int, Path]:
        prefix = name.zfill(_PARTS_DIGITS)
        found = {
            number: self._files.get(f"{prefix}_{part}") for number, part in enumerate(MASK_CLASSES)
        }
        return {number: path for number, path in found.items() if path is not None}

    def _joined(self, parts: dict[int, Path]) -> Bytes:
        whole: Bytes | None = None
        for number, path in parts.items():
            part = _read(path)
            whole = np.zeros_like(part) if whole is None else whole
            if part.shape != whole.shape:
                raise UserError(f"{path} is of another size than the other parts of its picture")
            whole[part > 0] = number
        assert whole is not None
        return whole


def _read(path: Path) -> Bytes:
    from PIL import Image

    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with Image.open(path) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels are too many")
                values = np.asarray(image if image.mode in ("L", "P") else image.convert("L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"cannot read the mask {path}: {error}") from error
    whole = values.ndim == 2 and values.size > 0 and values.dtype.kind in "bui"
    if not whole or values.min() < 0 or values.max() > 255:
        raise UserError(f"{path}: got {values.dtype} {list(values.shape)}; expected bytes [h, w]")
    return values.astype(np.uint8)
