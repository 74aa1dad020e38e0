"""Artworks that a style is learned from: aligned where a face is found, else taken whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.ops.resize import fit_size
from triptych.photos.aligner import PhotoAligner, UnusableFace
from triptych.photos.photo import Photo, photo_tensor, read_photo
from triptych.photos.photo_folder import list_photos

MOST_ARTWORKS = 50
"""With more of them a discriminator can be trained, as the published recipe does."""


@dataclass(frozen=True, eq=False)
class Artwork:
    """One example of a style.

    Attributes:
        name: What it is called in records.
        image: The picture [1, 3, s, s] in [-1, 1], a face in the middle where one was found.
        camera: The camera that sees the face so; None for a picture that is taken whole.
        is_photograph: Whether it is known to be a photograph.
    """

    name: str
    image: Tensor
    camera: Camera | None
    is_photograph: bool = False


def artwork_files(source: Path) -> list[Path]:
    """Return the pictures that a path names: a file, or a folder with its subfolders.

    Raises:
        UserError: There are none, or too many for the few-shot recipe.
    """
    if not source.exists():
        raise UserError(f"there is no picture or folder {source}")
    files = list(list_photos(source).photos) if source.is_dir() else [source]
    if len(files) > MOST_ARTWORKS:
        raise UserError(
            f"{source} has {len(files)} pictures; expected at most {MOST_ARTWORKS}: a style is "
            "learned from the statistics of a few; choose the most typical ones"
        )
    return files


def read_artworks(
    files: Sequence[Path], align: PhotoAligner, size: int, warn: Callable[[str], None]
) -> list[Artwork]:
    """Read pictures; those that cannot be read are named and left out.

    Args:
        files: The pictures.
        align: Finds the face of each.
        size: Side of the artworks.
        warn: Called with what was left out and why, and with pictures that are taken whole.

    Raises:
        UserError: None can be read.
    """
    artworks, reason = [], "none was given"
    for file in files:
        try:
            photo = read_photo(file)
        except UserError as error:
            reason = str(error)
            warn(f"left out: {error}")
            continue
        artworks.append(artwork_of(photo, align, size, warn))
    if not artworks:
        raise UserError(f"no picture can be used: {reason}")
    return artworks


def artwork_of(
    photo: Photo, align: PhotoAligner, size: int, warn: Callable[[str], None]
) -> Artwork:
    """Return one picture as an artwork; see `read_artworks`."""
    try:
        aligned = align(photo)
    except UnusableFace as error:
        warn(f"{photo.name} is taken whole: {error.reason}")
        return Artwork(photo.name, fit_size(photo_tensor(_middle(photo.pixels)), size), None)
    image = fit_size(aligned.image, size)
    return Artwork(photo.name, image, aligned.camera, aligned.is_photograph)


def _middle(pixels: np.ndarray) -> np.ndarray:
    """Return the largest square in the middle of pixels [h, w, 3]."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def images_of(artworks: Sequence[Artwork]) -> Tensor:
    """Return the pictures of artworks [n, 3, s, s]."""
    return torch.cat([artwork.image for artwork in artworks])
