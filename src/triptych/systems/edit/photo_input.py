"""What the encoder sees of an aligned picture, a portrait or a photo."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from triptych.errors import UserError
from triptych.ops.colour import check_images
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.aligner import PhotoAligner
from triptych.photos.matting import HeadMatting
from triptych.portrait import Portrait
from triptych.systems.edit.prompt import middle_square


def photo_input(
    photo: Any,
    size: int,
    device: torch.device,
    *,
    face: int = 1,
    align: PhotoAligner | None = None,
    matting: HeadMatting | None = None,
) -> tuple[Tensor, AlignedPhoto | None]:
    """Return a picture [1, 3, size, size] in [-1, 1], and how it was cut out of a photo.

    Args:
        photo: An aligned picture [1, 3, h, h], a portrait, which is seen from its own camera, or
            anything that `photos.photo.as_photo` takes.
        size: Side of what is returned.
        device: Where it goes.
        face: Which face of a photo.
        align: Crops photos; None takes aligned pictures and portraits only.
        matting: Composites photos on the plain background of the model's own pictures.

    Raises:
        UserError: The picture cannot be used.
    """
    if isinstance(photo, Portrait):
        picture = photo.render(photo.camera).image.clamp(-1, 1)
        return middle_square(picture.to(device), size), None
    if isinstance(photo, Tensor):
        check_images("photo", photo)
        if len(photo) != 1 or photo.shape[2] != photo.shape[3]:
            raise UserError(
                f"photo: got {list(photo.shape)}; expected one square picture [1, 3, h, h]"
            )
        return middle_square(photo.to(device), size), None
    if align is None:
        raise UserError("this pipeline has no aligner; give an aligned picture [1, 3, h, h]")
    aligned = align(photo, face=face)
    picture = aligned.image.to(device)
    if matting is not None:
        picture = matting(picture, is_photograph=aligned.is_photograph)
    return middle_square(picture, size), aligned
