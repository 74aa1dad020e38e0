"""Artworks that a style is learned from: aligned where a face is found, else taken whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.ops.resize import fit_size
from triptych.photos.aligner import PhotoAligner, UnusableFace
from triptych.photos.matting import HeadMatting
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


def artwork_files(source: Path, warn: Callable[[str], None]) -> list[Path]:
    """Return the pictures that a path names: a file, or a folder with its subfolders.

    Of more than the few-shot recipe takes, as many are chosen, evenly spread.

    Args:
        source: The path.
        warn: Called where pictures are left out.

    Raises:
        UserError: There are none.
    """
    if not source.exists():
        raise UserError(f"there is no picture or folder {source}")
    files = list(list_photos(source).photos) if source.is_dir() else [source]
    if len(files) > MOST_ARTWORKS:
        warn(
            f"{source} has {len(files)} pictures: {MOST_ARTWORKS} of them are used, evenly spread; "
            "so many are enough for the published training, `triptych train adapt` (see "
            "docs/training.md)"
        )
        step = len(files) / MOST_ARTWORKS
        files = [files[int(index * step)] for index in range(MOST_ARTWORKS)]
    return files


def read_artworks(
    files: Sequence[Path], align: PhotoAligner, size: int, warn: Callable[[str], None]
) -> list[Artwork]:
    """Read pictures; those that cannot be read are named and left out.

    Args:
        files: The pictures.
        align: Finds the face of each.
        size: Side of the artworks.
        warn: Called with what was left out and why, with notes, and with what is taken whole.

    Raises:
        UserError: None can be read.
    """
    artworks, reason = [], "none was given"
    for file in files:
        try:
            photo = read_photo(file)
        except UserError as error:
            if len(files) == 1:
                raise UserError(f"no picture can be used: {error}") from error
            reason = str(error)
            warn(f"left out: {error}")
            continue
        for note in photo.notes:
            warn(f"{photo.name}: {note}")
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


def on_plain_background(artwork: Artwork, matting: HeadMatting | None) -> Artwork:
    """Return an artwork whose head is laid on a plain background, where a face was found."""
    if matting is None or artwork.camera is None:
        return artwork
    return replace(artwork, image=matting(artwork.image, is_photograph=artwork.is_photograph))


def images_of(artworks: Sequence[Artwork]) -> Tensor:
    """Return the pictures of artworks [n, 3, s, s]."""
    return torch.cat([artwork.image for artwork in artworks])
