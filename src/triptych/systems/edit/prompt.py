"""What a person asks of an edit: words, or a picture of the wanted style."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from triptych.errors import UserError
from triptych.ops.colour import check_images, to_uint8
from triptych.photos.photo import as_photo, photo_tensor


@dataclass(frozen=True, eq=False)
class Prompt:
    """Words or a picture; neither leaves a photo as it is.

    Attributes:
        words: What the head becomes.
        picture: A square picture [1, 3, s, s] in [-1, 1] in the wanted style.
        name: What records call the picture.
    """

    words: str | None = None
    picture: Tensor | None = None
    name: str = ""

    @classmethod
    def of(cls, words: str | None, reference: Any, size: int) -> Prompt:
        """Read what a person gives.

        Args:
            words: Words, or None.
            reference: A picture [1, 3, h, w] in [-1, 1], anything that `photos.photo.as_photo`
                takes, or None.
            size: Side to which it is resized, after its middle square is cut out.

        Raises:
            UserError: Both are given, or the picture cannot be read.
        """
        if words is not None and reference is not None:
            raise UserError("a prompt is given in words and as a picture; give one of the two")
        if words is not None and not words.strip():
            raise UserError("the prompt is empty; say what the head becomes, such as 'an elf'")
        if reference is None:
            return cls(words)
        if isinstance(reference, Tensor):
            check_images("reference", reference)
            if len(reference) != 1:
                raise UserError(f"reference: got {len(reference)} pictures; expected one")
            return cls(None, middle_square(reference, size), "a picture")
        photo = as_photo(reference)
        return cls(None, middle_square(photo_tensor(photo.pixels), size), photo.name)

    @property
    def asks_nothing(self) -> bool:
        """Whether there are neither words nor a picture."""
        return self.words is None and self.picture is None

    def record(self) -> dict[str, Any]:
        """Return what was asked for, as JSON values."""
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
