"""Colours of a picture converted to sRGB by the ICC profile that came with it."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # Pillow's, by the profile's colour space
_GREY_MODES = ("L", "LA", "La", "1")
_SAME = 1  # largest change of a colour, of 255, by a profile that is sRGB itself
_STEPS = 9  # of each channel, at which colours are compared


def as_srgb(image: Image, profile: bytes | None) -> Image:
    """Return a picture in mode RGB with its colours in sRGB.

    A profile that cannot be read, or that is one of another kind of picture, is ignored. So is one
    of sRGB itself, which leaves every pixel as it is.

    Args:
        image: Picture of any 8-bit mode; an alpha channel is dropped.
        profile: Its ICC profile.
    """

    mode, transform = _transform(profile) if profile else (None, None)
    if image.mode == "LAB":  # the one mode that Pillow converts by profiles alone
        mode, transform = "LAB", _transform_of_lab()
    grey_only, inks = mode == "L", mode == "CMYK"
    fits = not (grey_only and image.mode not in _GREY_MODES) and inks == (image.mode == "CMYK")
    if transform is None or not fits:
        return image.convert("RGB")
    return transform.apply(image.convert(mode))


def _transform_of_lab() -> Any:
    from PIL import ImageCms

    spaces = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(*spaces, "LAB", "RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str | None, Any]:
    """Return the mode that a profile is for and its conversion, None where it changes nothing."""
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB":
            levels = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
            colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_STEPS, -1, 3)
            seen = transform.apply(Image.fromarray(colours))
            if np.abs(np.asarray(seen).astype(int) - colours).max() <= _SAME:
                return mode, None
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
        return None, None
    return mode, transform
