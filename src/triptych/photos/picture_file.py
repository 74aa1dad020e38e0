"""Picture files: which files are some, how they are decoded, what is said where that fails."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from triptych.errors import UserError, import_optional
from triptych.photos.picture_data import take_apart

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".heic", ".heif", ".hif",
    ".bmp", ".tif", ".tiff", ".gif",
)  # fmt: skip
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_LARGEST_FILE = 1 << 30
_STILL = {"MPO"}  # a photo with a depth map or a second view beside it
_STACKS = {"TIFF", "HEIF"}  # pages, bursts: pictures of their own, not an animation

_opening = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        image: Its pixels, and the metadata in `info`; perhaps at half its size.
        size: Width and height that the file has.
        notes: What was left out.
    """

    image: Image
    size: tuple[int, int]
    notes: tuple[str, ...]


def is_picture_file(path: Path) -> bool:
    """Say whether a file's name or, if that says nothing, its first bytes are those of a picture.

    It may be of a kind that this installation cannot open, or damaged: reading it tells.
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return True
    try:
        with open(path, "rb") as stream:
            start = stream.read(64)
    except OSError:
        return False
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return start.startswith(_STARTS) or webp or bool(_brands(start))


def read_picture(path: str | Path, enough: int) -> Picture:
    """Decode a picture file; its metadata cannot make that fail.

    Args:
        path: The file.
        enough: Pixels above which half the size will do, where the file offers it.

    Raises:
        UserError: The file is absent, no picture, cut off or damaged, or too large.
        MissingDependency: It needs a package that is not installed.
    """
    file = Path(path)
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected a picture")
    try:
        with open(file, "rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) > _LARGEST_FILE:
        raise UserError(f"{file} is too large for a photo: more than 1 GB; make it smaller first")
    return picture_in(data, str(file), enough)


def picture_in(data: bytes, name: str, enough: int) -> Picture:
    """Decode the contents of a picture file, as `read_picture` does."""
    pixels, metadata = take_apart(data)
    with _said_of(name):
        picture = decoded(_opened(pixels), name, enough)
    picture.image.info.update(metadata)  # not before: decoders would look at it
    return picture


def decoded(image: Image, name: str, enough: int) -> Picture:
    """Decode an opened picture: the first frame of an animation, the main one of several pictures.

    Args:
        image: The picture; it is changed where that is needed.
        name: What it is called in messages.
        enough: Pixels above which half the size will do, where the file offers it.

    Raises:
        UserError: It is cut off or damaged.
    """
    with _said_of(name):
        notes, frames = [], getattr(image, "n_frames", 1)
        if frames > 1 and image.format in _STACKS:
            notes.append(f"{frames} pictures in one file: only the main one is used")
        elif frames > 1 and image.format not in _STILL:
            notes.append("animated: only the first frame is used")
            image.seek(0)
        width, height = image.size
        if width * height > enough:
            image.draft("RGB", (width // 2, height // 2))  # JPEG only: decodes at half the size
        image.load()
        return Picture(image, (width, height), tuple(notes))


def _opened(data: bytes) -> Image:
    from PIL import Image

    brands = _brands(data)
    if brands & _HEIF_BRANDS and not brands & _AVIF_BRANDS:
        heif = import_optional("pillow_heif", "heic").open_heif(io.BytesIO(data))
        width, height = heif.size
        if Image.MAX_IMAGE_PIXELS and width * height > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(f"{width} x {height} pixels")
        image: Image.Image = heif.to_pillow()
        return image
    # Up to 178 megapixels are fine here; beyond that Pillow itself refuses. Filters of warnings
    # belong to the whole process, so only one thread at a time may change them.
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data))


def _brands(data: bytes) -> set[bytes]:
    """Return the kinds that a file of the HEIF family says it is; nothing for other files."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256)
    listed = {data[place : place + 4] for place in range(8, end, 4)}
    return listed & (_HEIF_BRANDS | _AVIF_BRANDS)


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises for bytes that it cannot read into one line."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"{name} is too large: {error}; make it smaller first") from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{name} is not a picture that can be read; expected JPEG, PNG, WebP, AVIF, HEIC, "
            "BMP, GIF or TIFF"
        ) from error
    except MemoryError as error:
        raise UserError(f"{name} needs more memory than there is; make it smaller") from error
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise UserError(f"{name} is cut off or damaged: {reason}; get it again") from error
