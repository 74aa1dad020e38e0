"""3DPE's data: pictures of people and edited versions of them, in the published layout.

dataset.json              {"labels": [[path, 25 camera numbers], ...]}, of the originals
BUCKET/ID.png             an original
BUCKET_STYLE/ID.png       the same picture, edited
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError
from triptych.photos.labelled_images import LabelledImages
from triptych.photos.photo import photo_tensor, read_pixels

_SEPARATOR = "_"
_PICTURES = (".png", ".jpg", ".jpeg")


class EditPairs:
    """Originals that were edited at least once, with their cameras.

    Args:
        folder: The folder of `dataset.json`.

    Raises:
        UserError: Labels are missing or broken, or no original was edited.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._originals = LabelledImages(folder)
        self._edited: dict[tuple[str, str], list[str]] = defaultdict(list)
        styles: dict[str, set[str]] = defaultdict(set)
        for bucket, style in self._style_folders():
            styles[bucket].add(style)
            for path in sorted((self._folder / f"{bucket}_{style}").iterdir()):
                if path.suffix.lower() in _PICTURES:
                    self._edited[bucket, style].append(path.name)
        self._pairs = [
            (index, bucket, style)
            for index, name in enumerate(self._originals.names)
            for bucket in (str(Path(name).parent),)
            for style in sorted(styles[bucket])
            if Path(name).name in self._edited[bucket, style]
        ]
        if not self._pairs:
            raise UserError(
                f"{folder} holds no pair: expected BUCKET/ID.png in dataset.json and "
                "BUCKET_STYLE/ID.png beside it"
            )

    def __len__(self) -> int:
        return len(self._pairs)

    def style(self, index: int) -> str:
        """Return the style of a pair."""
        return self._pairs[index][2]

    def words(self, index: int) -> str:
        """Return the style of a pair in words: "blue-stone" and "blue_stone" are "blue stone"."""
        return " ".join(re.split("[-_]+", self.style(index)))

    def photo(self, index: int) -> Tensor:
        """Return the original of a pair [3, s, s] in [-1, 1]."""
        return self._originals.image(self._pairs[index][0])

    def edited(self, index: int) -> Tensor:
        """Return the edited version [3, s, s] in [-1, 1]."""
        original, bucket, style = self._pairs[index]
        return self._picture(bucket, style, Path(self._originals.names[original]).name)

    def camera(self, index: int) -> Camera:
        """Return the camera of a pair."""
        return self._originals.camera[self._pairs[index][0]]

    def reference(self, index: int, rng: torch.Generator, *, may_be_target: bool) -> Tensor:
        """Return a picture [3, s, s] of the same bucket in the same style, drawn at random.

        Args:
            index: The pair.
            rng: Source of the draw.
            may_be_target: Whether the edited version itself may be drawn, as in the published
                code. It is drawn too where there is no other.
        """
        original, bucket, style = self._pairs[index]
        own = Path(self._originals.names[original]).name
        names = self._edited[bucket, style]
        if not may_be_target and len(names) > 1:
            names = [name for name in names if name != own]
        chosen = int(torch.randint(len(names), (), generator=rng))
        return self._picture(bucket, style, names[chosen])

    def _picture(self, bucket: str, style: str, name: str) -> Tensor:
        path = self._folder / f"{bucket}_{style}" / name
        pixels = read_pixels(path)
        if pixels.shape[0] != pixels.shape[1]:
            raise UserError(f"{path} is {pixels.shape[1]} x {pixels.shape[0]}; expected a square")
        return photo_tensor(pixels)[0]

    def _style_folders(self) -> list[tuple[str, str]]:
        buckets = {str(Path(name).parent) for name in self._originals.names}
        return [
            (bucket, style)
            for path in sorted(self._folder.iterdir())
            if path.is_dir()
            for bucket, _, style in (path.name.partition(_SEPARATOR),)
            if bucket in buckets and style
        ]
