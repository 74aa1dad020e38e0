"""Writing a set of regions: pictures and masks cropped alike, at every size that is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych.errors import UserError, check_range
from triptych.files import PLAN_FILE, atomic_path, write_json
from triptych.photos.photo import read_pixels
from triptych.photos.photo_folder import list_photos
from triptych.planned_folder import planned_folder
from triptych.systems.compose.data.class_maps import ClassMaps, Numbering
from triptych.systems.compose.data.face_parser import FaceParser
from triptych.systems.compose.data.region_set import SET_FILE, SetDescription

if TYPE_CHECKING:
    from PIL.Image import Image

PUBLISHED_SIZES = (512, 64)
_ASPECT_TOLERANCE = 0.01
_MAP_SIZE = 2**40  # what an lmdb may grow to; nothing is taken beforehand


def write_region_set(
    pictures: str | Path,
    masks: str | Path | FaceParser,
    out: str | Path,
    numbers: Numbering,
    *,
    sizes: Sequence[int] = PUBLISHED_SIZES,
    scaled_dilation: bool = False,
    as_lmdb: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SetDescription:
    """Write a set of pictures and maps of classes; a stopped run continues.

    As published, the short side is resized to the size by Lanczos's filter and the middle is cut
    out; maps follow without a filter.

    Args:
        pictures: Folder of pictures, in order of their paths.
        masks: Folder of their maps, see `class_maps.ClassMaps`; or a network that makes them.
        out: Folder of the set; see `region_set`.
        numbers: What the numbers in the maps mean; a network's are CelebAMask-HQ's.
        sizes: Sides in pixels.
        scaled_dilation: See `SetDescription`.
        as_lmdb: Write what the published code reads too; needs the lmdb package.
        overwrite: Replace another set in the folder.
        progress: Called with (finished pictures, all pictures).

    Raises:
        UserError: A picture has no mask or one of another shape, a number is out of range, lmdb
            is not installed, or the folder holds something else.
    """
    for size in sizes:
        check_range("--sizes", size, 16, 2048)
    if not sizes or len(set(sizes)) != len(sizes):
        raise UserError(f"--sizes: got {list(sizes)}; expected sides in pixels that differ")
    if as_lmdb:
        _lmdb()
    root, out = Path(pictures), Path(out)
    photos = list_photos(root).photos
    maps = masks if isinstance(masks, FaceParser) else ClassMaps(masks, numbers, root)
    maps.of(photos[0])  # the most likely mistake shows before anything is written
    names = [str(photo.relative_to(root).with_suffix("")) for photo in photos]
    sizes = tuple(sorted(sizes, reverse=True))
    description = SetDescription(
        len(photos), sizes, numbers.regions, numbers.table, scaled_dilation
    )
    plan = {"version": 1, "pictures": names, "ids": numbers.ids, **description.to_json()}
    with planned_folder(
        out, plan, contents="set of regions", overwrite=overwrite, clear=_clear(out)
    ):
        for index, photo in enumerate(photos):
            if not all(_file(out, "masks", size, index).exists() for size in sizes):
                _write_one(photo, maps.of(photo), out, sizes, index)
            if progress is not None:
                progress(index + 1, len(photos))
        if as_lmdb:
            _write_lmdb(out, description)
        write_json(out / SET_FILE, description.to_json())
    return description


def _write_one(
    photo: Path, classes: np.ndarray, out: Path, sizes: Sequence[int], index: int
) -> None:
    from PIL import Image

    pixels = read_pixels(photo)
    ratio = (pixels.shape[1] / pixels.shape[0]) / (classes.shape[1] / classes.shape[0])
    if abs(ratio - 1) > _ASPECT_TOLERANCE:
        raise UserError(
            f"{photo} is {pixels.shape[1]} x {pixels.shape[0]} and its mask {classes.shape[1]} x "
            f"{classes.shape[0]}; expected the same shape"
        )
    for size in sizes:  # the mask last: it says that both are there
        image = squared(Image.fromarray(pixels), size, Image.Resampling.LANCZOS)
        _save(image, _file(out, "images", size, index))
        image = squared(Image.fromarray(classes), size, Image.Resampling.NEAREST)
        _save(image, _file(out, "masks", size, index))


def squared(image: Image, size: int, resampling: Any) -> Image:
    """Return the middle square of an image whose short side is resized to a size."""
    width, height = image.size
    scale = size / min(width, height)
    whole = max(size, round(width * scale)), max(size, round(height * scale))
    left, top = (whole[0] - size) // 2, (whole[1] - size) // 2
    resized = image if whole == image.size else image.resize(whole, resampling)
    return resized.crop((left, top, left + size, top + size))


def _file(out: Path, kind: str, size: int, index: int) -> Path:
    return out / f"{kind}_{size}" / f"{index:05d}.png"


def _save(image: Image, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise UserError(
            "--lmdb needs the lmdb package: pip install 'triptych[lmdb]', or leave it out"
        ) from error
    return lmdb


def _write_lmdb(out: Path, description: SetDescription) -> None:
    """Write `lmdb` with pictures, and `mask_SIZE` folders with arrays, as published."""
    from PIL import Image

    with (
        _lmdb().open(str(out / "lmdb"), map_size=_MAP_SIZE) as environment,
        environment.begin(write=True) as transaction,
    ):
        for size in description.sizes:
            (out / f"mask_{size}").mkdir(exist_ok=True)
            for index in range(description.count):
                data = _file(out, "images", size, index).read_bytes()
                transaction.put(f"{size}-{index:05d}".encode(), data)
                with Image.open(_file(out, "masks", size, index)) as image:
                    np.save(out / f"mask_{size}" / f"{index:05d}.npy", np.array(image))
        transaction.put(b"length", str(description.count).encode())


def _clear(out: Path) -> Callable[[list[str]], None]:
    def clear(present: list[str]) -> None:
        import shutil

        own = ("images_", "masks_", "mask_", "lmdb", SET_FILE, PLAN_FILE)
        if foreign := [name for name in present if not name.startswith(own)]:
            raise UserError(
                f"{out} holds files that are no part of a set of regions ({foreign[0]}); "
                "choose another folder"
            )
        for path in map(out.joinpath, present):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return clear
