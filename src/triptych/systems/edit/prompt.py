"""What a person asks of an edit: words, a picture of the wanted style, or a learned edit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from triptych.errors import UserError
from triptych.ops.colour import check_images, to_uint8
from triptych.photos.aligner import PhotoAligner, UnusableFace
from triptych.photos.matting import HeadMatting
from triptych.photos.photo import as_photo, photo_tensor
from triptych.systems.edit.style import EditStyle


@dataclass(frozen=True, eq=False)
class Prompt:
    """Words, a picture, or a learned edit; none leaves a photo as it is.

    Attributes:
        words: What the head becomes.
        picture: A square picture [1, 3, s, s] in [-1, 1] in the wanted style.
        name: What records call the picture.
        style: What `triptych edit-style` learned.
        notes: What a person should know about it.
    """

    words: str | None = None
    picture: Tensor | None = None
    name: str = ""
    style: EditStyle | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        words: str | None,
        reference: Any,
        size: int,
        style: EditStyle | str | Path | None = None,
        *,
        align: PhotoAligner | None = None,
        matting: HeadMatting | None = None,
    ) -> Prompt:
        """Read what a person gives.

        Args:
            words: Words, or None.
            reference: A picture [1, 3, h, w] in [-1, 1], anything that `photos.photo.as_photo`
                takes, or None.
            size: Side to which it is resized. Tensors and pictures without a face are taken by
                their middle square, others by their largest face.
            style: A learned edit or its file.
            align: Crops faces in references; None takes their middle square.
            matting: Composites such a crop on the plain background of the model's own pictures.

        Raises:
            UserError: More than one is given, or one cannot be read.
        """
        given = {"words": words, "a reference": reference, "a learned edit": style}
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise UserError(f"the prompt is given as {' and as '.join(named)}; give one of them")
        if words is not None and not words.strip():
            raise UserError("the prompt is empty; say what the head becomes, such as 'an elf'")
        if style is not None:
            return cls(style=style if isinstance(style, EditStyle) else EditStyle.load(style))
        if reference is None:
            return cls(words)
        if isinstance(reference, Tensor):
            check_images("reference", reference)
            if len(reference) != 1:
                raise UserError(f"reference: got {len(reference)} pictures; expected one")
            return cls(None, middle_square(reference, size), "a picture")
        photo = as_photo(reference)
        if align is not None:
            try:
                aligned, _ = align.align_one_of(photo)
            except UnusableFace as error:
                square = middle_square(photo_tensor(photo.pixels), size)
                note = (
                    f"the reference {photo.name} is taken whole, by its middle square, since it "
                    f"has no face to crop ({error.reason}); for a material that is fine"
                )
                return cls(None, square, photo.name, notes=(note,))
            picture = aligned.image
            if matting is not None:
                picture = matting(picture, is_photograph=aligned.is_photograph)
            return cls(None, middle_square(picture, size), photo.name)
        return cls(None, middle_square(photo_tensor(photo.pixels), size), photo.name)

    @property
    def asks_nothing(self) -> bool:
        """Whether there are neither words nor a picture nor a learned edit."""
        return self.words is None and self.picture is None and self.style is None

    @property
    def title(self) -> str:
        """What is asked for in a few words."""
        if self.style is not None:
            return self.style.model.edit
        return self.words or self.name

    def record(self) -> dict[str, Any]:
        """Return what was asked for, as JSON values."""
        if self.style is not None:
            return {"style": self.style.record()}
        if self.picture is None:
            return {"prompt": self.words}
        pixels = to_uint8(self.picture).cpu().contiguous().numpy().tobytes()
        return {"reference": {"name": self.name, "pixels": hashlib.sha256(pixels).hexdigest()}}


def middle_square(picture: Tensor, size: int) -> Tensor:
    """Return the middle square of pictures [b, 3, h, w], resized to [b, 3, size, size]."""
    height, width = picture.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[..., top : top + side, left : left + side]
    if side == size:
        return square
    resized = functional.interpolate(
        square, size=(size, size), mode="bicubic", align_corners=False, antialias=True
    )
    return resized.clamp(-1, 1)
