"""Pictures of any kind as upright 8-bit RGB pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.arguments import checked
from triptych.errors import UserError
from triptych.ops.colour import check_images, from_uint8, to_uint8
from triptych.photos.colour_profile import as_srgb
from triptych.photos.picture_data import PROFILE, orientation_of
from triptych.photos.picture_file import Picture, decoded, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST_SIDE = 32
MOST_PIXELS = 36_000_000
"""Larger pictures are halved until they are not; a crop needs far fewer."""

PLAIN_GREY = 191
"""Grey value of the plain background of the embedded models."""

_UNNAMED = "the picture"
_PLAIN_TOLERANCE = 3
_PLAIN_SHARE = 0.75  # of the edge: shoulders reach the lower one
_MOST_ANISOTROPIC = 16
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's turn for each EXIF orientation


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture that is ready to be searched for faces.

    Attributes:
        pixels: uint8 [h, w, 3], upright.
        name: What it is called in messages.
        notes: What was done to it that a person may want to know.
    """

    pixels: NDArray[np.uint8]
    name: str = _UNNAMED
    notes: tuple[str, ...] = ()


@checked
def read_photo(path: str | Path) -> Photo:
    """Read a picture file: any mode, EXIF turn applied, transparency laid over light grey.

    Raises:
        UserError: The file is absent, no picture, cut off, or of an impossible size.
    """
    return _checked(_photo_of(read_picture(path, MOST_PIXELS), Path(path).name))


@checked
def read_pixels(path: str | Path) -> NDArray[np.uint8]:
    """Read the pixels uint8 [h, w, 3] of a picture file as `read_photo` does, of any size.

    Raises:
        UserError: The file is absent, no picture, or cut off.
    """
    return _photo_of(read_picture(path, MOST_PIXELS), Path(path).name).pixels


def as_photo(image: Any) -> Photo:
    """Turn whatever a caller has into a Photo.

    Args:
        image: A Photo, a path, a Pillow image, pixels uint8 [h, w] or [h, w, 3 or 4], or a tensor
            [3, h, w] or [1, 3, h, w] in [-1, 1].

    Raises:
        UserError: It is none of these.
    """
    from PIL import Image

    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        return read_photo(image)
    if isinstance(image, Image.Image):
        return _checked(_photo_of(decoded(image, _UNNAMED, MOST_PIXELS), _UNNAMED))
    if isinstance(image, Tensor):
        batch = image[None] if image.ndim == 3 else image
        check_images("picture", batch)
        if len(batch) != 1:
            raise UserError(f"picture: got {len(batch)} images; expected one")
        return _checked(Photo(to_uint8(batch.detach().cpu())[0].numpy()))
    if isinstance(image, np.ndarray) and _are_pixels(image):
        return as_photo(Image.fromarray(image))
    array = f" of {image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else ""
    raise UserError(
        f"picture: got {type(image).__name__}{array}; expected a path, a Pillow image, pixels "
        "uint8 [h, w], [h, w, 3] or [h, w, 4], or a tensor [1, 3, h, w] in [-1, 1]"
    )


def _are_pixels(array: NDArray[Any]) -> bool:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    return shaped and array.dtype == np.uint8 and array.size > 0


def photo_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Return pixels uint8 [h, w, 3] as an image [1, 3, h, w] in [-1, 1]."""
    return from_uint8(torch.from_numpy(np.array(pixels))[None])


def is_on_plain_background(pixels: NDArray[np.uint8]) -> bool:
    """Say whether pixels [h, w, 3] stand before the plain background of the embedded models."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    plain = np.abs(edge.astype(int) - PLAIN_GREY).max(axis=1) <= _PLAIN_TOLERANCE
    return float(plain.mean()) > _PLAIN_SHARE or bool(plain[: pixels.shape[1]].all())


def _photo_of(picture: Picture, name: str) -> Photo:
    from PIL.Image import Transpose

    image, (width, height) = picture.image, picture.size
    upright = _as_rgb(image, image.info.get(PROFILE))
    if (turn := _UPRIGHT.get(orientation_of(image.info))) is not None:
        upright = upright.transpose(Transpose(turn))
    if factor := _reduction(*upright.size):
        upright = upright.reduce(factor)
    notes = picture.notes
    if upright.width * upright.height < width * height:
        notes += (
            f"reduced from {width * height / 1e6:.0f} to "
            f"{upright.width * upright.height / 1e6:.0f} megapixels",
        )
    return Photo(np.array(upright), name, notes)


def _reduction(width: int, height: int) -> int | None:
    """Return the power of two by which a picture is reduced, None if it is small enough."""
    factor = 1
    while width * height / factor**2 > MOST_PIXELS:
        factor *= 2
    return factor if factor > 1 else None


def _as_rgb(image: Image, profile: bytes | None) -> Image:
    """Convert any mode to sRGB, keeping the range of deep pixels and hidden colours hidden."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return as_srgb(Image.fromarray(_to_8_bit(np.asarray(image))), profile)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layers = image.convert("LA" if image.mode in ("L", "LA", "La") else "RGBA")
        coloured = as_srgb(layers, profile)
        coloured.putalpha(layers.getchannel("A"))
        behind = Image.new("RGBA", image.size, (PLAIN_GREY,) * 3)
        return Image.alpha_composite(behind, coloured).convert("RGB")
    return as_srgb(image, profile)


def _to_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring deep grey values to 0..255: by their type's range, or by their own if that is unknown.

    Pillow reads 16-bit grey as integers of 16 or 32 bits and floats as they are.
    """
    depth = values.astype(np.float64)
    if values.dtype == np.uint16 or (
        values.dtype.kind in "iu" and 255 < depth.max(initial=0) <= 65535
    ):
        return (np.clip(depth, 0, 65535) / 257 + 0.5).astype(np.uint8)
    if values.dtype.kind == "f" and depth.max(initial=0) <= 1.0:
        return (np.clip(depth, 0, 1) * 255 + 0.5).astype(np.uint8)
    highest = max(255.0, float(depth.max(initial=0)))
    return (np.clip(depth, 0, highest) * (255 / highest) + 0.5).astype(np.uint8)


def _checked(photo: Photo) -> Photo:
    height, width = photo.pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"{photo.name} is too small: {width} x {height} pixels; "
            f"expected at least {SMALLEST_SIDE} on each side"
        )
    if max(height, width) > _MOST_ANISOTROPIC * min(height, width):
        raise UserError(
            f"{photo.name} is {width} x {height} pixels, which is no photo of a face; "
            "cut the face out of it first"
        )
    return photo
