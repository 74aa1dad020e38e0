"""Pictures before and after a custom edit: read from folders, or made by an image editor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.editors.image_editor import EditRequest, ImageEditor
from triptych.errors import UserError
from triptych.models.eg3d import TriPlaneGenerator
from triptych.ops.placement import device_of
from triptych.photos.aligned_photo import frame_face
from triptych.photos.aligner import UnusableFace
from triptych.photos.photo import photo_tensor, read_photo
from triptych.photos.picture_source import PictureSource, sources_of
from triptych.portrait import TriPlanePortrait
from triptych.progress import Progress
from triptych.systems.edit.pipeline import CROP_SIZE, EditPipeline
from triptych.systems.edit.prompt import middle_square

BEFORE, AFTER = "before", "after"
MOST_PAIRS = 10
_YAWS, _PITCHES = (0.0, 0.3, -0.3, 0.15, -0.15), (0.0, 0.1, -0.1)
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture and its edited version.

    Attributes:
        name: What it is called.
        before: Picture [1, 3, s, s] in [-1, 1], as the encoder sees it.
        after: The same, edited.
        camera: Of both; None where it is unknown.
    """

    name: str
    before: Tensor
    after: Tensor
    camera: Camera | None


def pair_files(folder: Path) -> list[tuple[PictureSource, Path]]:
    """Return the pictures of before/ and after/ that belong together by their names.

    Raises:
        UserError: A folder is missing, names do not match, or there are more than ten.
    """
    for part in (BEFORE, AFTER):
        if not (folder / part).is_dir():
            raise UserError(
                f"there is no folder {folder / part}; expected before/NAME.png and after/NAME.png"
            )
    before, after = (
        {Path(source.name).stem: source for source in sources_of(folder / part, _no_note)}
        for part in (BEFORE, AFTER)
    )
    alone = [f"{BEFORE}/{name}" for name in sorted(before.keys() - after.keys())]
    alone += [f"{AFTER}/{name}" for name in sorted(after.keys() - before.keys())]
    if alone:
        rest = "" if len(alone) <= _NAMED else f" and {len(alone) - _NAMED} more"
        raise UserError(
            f"{folder}: {', '.join(alone[:_NAMED])}{rest} has no partner; expected every picture "
            "in before/ and in after/ under one name"
        )
    if len(before) > MOST_PAIRS:
        raise UserError(f"{folder} holds {len(before)} pairs; expected 1 to {MOST_PAIRS}")
    return [(before[name], after[name].path) for name in sorted(before)]


def read_pair(source: PictureSource, edited: Path, pipeline: EditPipeline) -> Pair:
    """Read a pair; a face in the first picture says how both are cropped, and their camera.

    Pictures that came with a camera, or without a face, are taken whole.

    Raises:
        UserError: A picture is broken, not square, or the two have different sizes.
    """
    photos = read_photo(source.path), read_photo(edited)
    sizes = [photo.pixels.shape[:2] for photo in photos]
    for path, (height, width) in zip((source.path, edited), sizes, strict=True):
        if height != width:
            raise UserError(f"{path} is {width} x {height}; expected a square picture")
    if sizes[0] != sizes[1]:
        raise UserError(
            f"{edited} has {sizes[1][0]} pixels a side, the picture before {sizes[0][0]}; expected "
            "two pictures of one size"
        )
    pictures = [photo_tensor(photo.pixels) for photo in photos]
    camera, is_photograph = source.camera, False
    if camera is None and pipeline.align is not None:
        try:
            aligned, _ = pipeline.align.align_one_of(photos[0])
        except UnusableFace:
            pass
        else:
            same = frame_face(photos[1].pixels, aligned.face, pipeline.align.framing, CROP_SIZE)
            pictures, camera = [aligned.image, same.image], aligned.camera
            is_photograph = aligned.is_photograph
    device = device_of(pipeline.network)
    pictures = [picture.to(device) for picture in pictures]
    if pipeline.matting is not None:
        pictures = [pipeline.matting(one, is_photograph=is_photograph) for one in pictures]
    size = pipeline.network.config.encoder.image_size
    before, after = (middle_square(picture, size) for picture in pictures)
    return Pair(source.path.stem, before, after, camera)


def made_pairs(
    generator: TriPlaneGenerator,
    editor: ImageEditor,
    request: EditRequest,
    seeds: range,
    size: int,
    progress: Progress,
) -> list[Pair]:
    """Return heads of seeds as they are and as an image editor changes them.

    Args:
        generator: Makes the heads.
        editor: Edits their pictures.
        request: What it is asked for.
        seeds: Of the heads.
        size: Side of the pictures that the encoder sees.
        progress: Called after each.

    Raises:
        UserError: The editor refuses the request, or there are too many seeds.
    """
    editor.check(request)
    if not 1 <= len(seeds) <= MOST_PAIRS:
        raise UserError(f"pairs: got {len(seeds)}; expected 1 to {MOST_PAIRS}")
    pairs = []
    with torch.no_grad():
        for number, seed in enumerate(seeds):
            progress("making pairs", number, len(seeds))
            portrait = TriPlanePortrait.from_generator(
                generator, generator.mapping(generator.latent(seed))
            )
            yaw, pitch = _YAWS[number % len(_YAWS)], _PITCHES[number % len(_PITCHES)]
            camera = portrait.orbit(yaw, pitch)
            shown = portrait.render(camera, editor.config.image_size).image.clamp(-1, 1)
            edited = editor.edit(shown, request)
            before, after = (middle_square(picture, size) for picture in (shown, edited))
            pairs.append(Pair(f"seed{seed:05d}", before, after, camera))
    progress("making pairs", len(seeds), len(seeds))
    return pairs


def _no_note(note: str) -> None:
    """Leave out what is no picture without a word."""
