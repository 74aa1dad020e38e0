"""Writes pairs in 3DPE's published layout: heads before and after an edit, from one camera.

    dataset.json              {"labels": [[path, 25 camera numbers], ...]}, of the originals
    00000/00000017.png        an original, a thousand to a bucket
    00000_blue-stone/00000017.png   the same head in a style
    plan.json                 the plan of the set

Neither buckets nor names of originals hold an underscore, which tells edited pictures from them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from triptych.avatars.sets.true_heads import TrueHeads, unseen_cameras
from triptych.camera import Camera
from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.errors import UserError, check_whole, shown
from triptych.export.pictures import colour_picture, save_png
from triptych.files import write_json
from triptych.ops.resize import resize_bilinear
from triptych.photos.labelled_images import LabelledImages
from triptych.planned_folder import planned_folder
from triptych.progress import Step, no_progress
from triptych.seeds import check_seeds_from

LABELS_FILE = "dataset.json"
_PER_BUCKET = 1000
_VERSION = 1
_OWN = re.compile(r"\d{5}(_[a-z0-9-]+)?|dataset\.json|plan\.json")


class Originals(Protocol):
    """Pictures to edit, each with its camera."""

    def __len__(self) -> int:
        """How many there are."""

    def picture(self, index: int) -> Tensor:
        """Return one [1, 3, s, s] in [-1, 1]."""

    def camera_of(self, index: int) -> Camera:
        """Return its camera."""


class Edits(Protocol):
    """Makes edited versions."""

    def edited(self, index: int, original: Tensor, style: str) -> Tensor:
        """Return an original [1, 3, s, s] in a style, at any size."""


@dataclass(frozen=True)
class AvatarOriginals:
    """Unseen avatars, each from a random camera, and the same ones truly in a style.

    Attributes:
        heads: Renders them.
        first_seed: Seed of the first.
        count: Number of heads.
        size: Side of the pictures.
    """

    heads: TrueHeads
    first_seed: int
    count: int
    size: int

    def __post_init__(self) -> None:
        check_whole("count", self.count, 1, 1_000_000)
        check_whole("size", self.size, 16, 2048)
        check_seeds_from("seed", self.first_seed, self.count)

    def __len__(self) -> int:
        return self.count

    def picture(self, index: int) -> Tensor:
        """Return a head as it is."""
        return self._shown(index, None)

    def edited(self, index: int, original: Tensor, style: str) -> Tensor:
        """Return a head truly in a style."""
        return self._shown(index, style)

    def camera_of(self, index: int) -> Camera:
        """Return the camera of a head: yaw within 32 degrees, pitch within 17."""
        return unseen_cameras(self.first_seed + index, 2)[1]

    def _shown(self, index: int, style: str | None) -> Tensor:
        camera = self.camera_of(index)
        return self.heads.views(self.first_seed + index, style, camera, self.size).image


@dataclass(frozen=True)
class FolderOriginals:
    """Aligned pictures of a folder with dataset.json.

    Attributes:
        pictures: The folder.
    """

    pictures: LabelledImages

    def __len__(self) -> int:
        return len(self.pictures)

    def picture(self, index: int) -> Tensor:
        """Return a picture."""
        return self.pictures.image(index)[None]

    def camera_of(self, index: int) -> Camera:
        """Return its camera."""
        return self.pictures.camera[index]


@dataclass(frozen=True)
class EditorEdits:
    """Edits by an image editor, all with one seed.

    Attributes:
        editor: The editor.
        seed: Of its noise.
    """

    editor: ImageEditor
    seed: int = 0

    def edited(self, index: int, original: Tensor, style: str) -> Tensor:
        """Return a picture as the editor changes it at its own size."""
        size = self.editor.config.image_size
        picture = resize_bilinear(original, size, antialias=True)
        return self.editor.edit(picture, EditRequest(style, self.seed))


@torch.no_grad()
def write_edit_pairs(
    out: Path,
    originals: Originals,
    edits: Edits,
    styles: Sequence[str],
    plan: Mapping[str, Any],
    *,
    overwrite: bool = False,
    step: Step = no_progress,
) -> None:
    """Write a set; a stopped one goes on at the first picture that is missing.

    Args:
        out: Folder of the set.
        originals: Pictures before.
        edits: Makes the pictures after.
        styles: What is asked for, each a folder per bucket.
        plan: What decides the pictures beside the styles, as JSON values.
        overwrite: Replace another set in the folder.
        step: Called after each original.

    Raises:
        UserError: There is no style, two have one name, or the folder holds something else.
    """
    names = style_folders(styles)
    whole = {"set": "edit-pairs", "version": _VERSION, "styles": list(styles), **plan}

    def clear(found: list[str]) -> None:
        foreign = [name for name in found if not _OWN.fullmatch(name)]
        if foreign:
            raise UserError(
                f"{out} holds {foreign[0]} beside a set of pairs; choose another folder"
            )
        for name in found:
            if (out / name).is_dir():
                shutil.rmtree(out / name)
            else:
                (out / name).unlink()

    labels: list[Any] = []
    with planned_folder(out, whole, contents="edit pairs", overwrite=overwrite, clear=clear):
        for index in range(len(originals)):
            bucket, name = f"{index // _PER_BUCKET:05d}", f"{index:08d}.png"
            before = out / bucket / name
            wanted = {style: out / f"{bucket}_{names[style]}" / name for style in styles}
            missing = {style: path for style, path in wanted.items() if not path.is_file()}
            if missing or not before.is_file():
                original = originals.picture(index)
                for style, path in missing.items():
                    path.parent.mkdir(exist_ok=True)
                    edited = edits.edited(index, original, style)
                    edited = resize_bilinear(edited, original.shape[-1], antialias=True)
                    save_png(path, colour_picture(edited[0].clamp(-1, 1)))
                before.parent.mkdir(exist_ok=True)
                save_png(before, colour_picture(original[0]))
            numbers = originals.camera_of(index).label25()[0].tolist()
            labels.append([f"{bucket}/{name}", numbers])
            step()
        write_json(out / LABELS_FILE, {"labels": labels})


def style_folders(styles: Sequence[str]) -> dict[str, str]:
    """Return the folder name of each style: letters and digits, joined by hyphens.

    Raises:
        UserError: There is no style, one has no letters, or two get one name.
    """
    if not styles:
        raise UserError("styles: got none; expected one or more")
    names: dict[str, str] = {}
    for style in styles:
        parts = "".join(
            sign if sign.isascii() and sign.isalnum() else " " for sign in style.lower()
        )
        name = "-".join(parts.split())
        if not name:
            raise UserError(f"styles: got {shown(style)}; expected words with letters or digits")
        if name in names.values():
            raise UserError(f"styles: {shown(style)} is given twice, or differs in signs only")
        names[style] = name
    return names
