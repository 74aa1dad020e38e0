"""A picture that shows what alignment found: box, landmarks, head axes and the crop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from triptych.ops.colour import to_uint8
from triptych.photos.aligned_photo import AlignedPhoto
from triptych.photos.detectors.face import Face, FloatArray, Pixels

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_HEIGHT, _WIDEST = 512, 1024
_AXIS = 0.16  # drawn length of a head axis, world units
_AXES = ((230, 60, 50), (50, 190, 70), (60, 110, 240))  # x, y, z
_CHOSEN, _OTHER, _CROP, _MARKS = (255, 210, 0), (150, 150, 150), (255, 255, 255), (0, 255, 230)


def alignment_overlay(pixels: Pixels, aligned: AlignedPhoto, faces: list[Face]) -> Pixels:
    """Draw the photo with its faces beside the crop.

    The chosen face has a yellow box and the turned outline of its crop; its axes are red (its left
    side), green (up) and blue (forwards). Other faces have grey boxes with their numbers.

    Args:
        pixels: The photo, uint8 [h, w, 3].
        aligned: Its aligned crop.
        faces: All its faces, the largest first.

    Returns:
        uint8 [512, w, 3].
    """
    from PIL import Image, ImageDraw

    scale = min(_HEIGHT / pixels.shape[0], _WIDEST / pixels.shape[1])
    photo = Image.fromarray(pixels).resize(
        (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))),
        Image.Resampling.BICUBIC,
        reducing_gap=3.0,
    )
    crop = Image.fromarray(to_uint8(aligned.image)[0].numpy()).resize((_HEIGHT, _HEIGHT))
    canvas = Image.new("RGB", (photo.width + _HEIGHT, _HEIGHT), (40, 40, 40))
    canvas.paste(photo, (0, (_HEIGHT - photo.height) // 2))
    canvas.paste(crop, (photo.width, 0))
    pen = ImageDraw.Draw(canvas)
    corner = np.array([0.0, (_HEIGHT - photo.height) // 2])
    for number, face in enumerate(faces, start=1):
        box = (np.array(face.box).reshape(2, 2) * scale + corner).reshape(-1)
        own = face is aligned.face
        pen.rectangle(tuple(box), outline=_CHOSEN if own else _OTHER, width=2)
        if len(faces) > 1:
            pen.text((box[0] + 3, box[1] + 1), str(number), fill=_CHOSEN if own else _OTHER)
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    outline = aligned.window.to_picture(corners) * scale + corner
    pen.line([tuple(point) for point in outline], fill=_CROP, width=1)
    _draw_face(pen, aligned.face, lambda points: points * scale + corner)
    _draw_face(
        pen,
        aligned.face,
        lambda points: (
            (aligned.window.to_window(points) + 0.5) * _HEIGHT + np.array([photo.width, 0.0])
        ),
    )
    return np.asarray(canvas)


def _draw_face(pen: ImageDraw, face: Face, place: Callable[[FloatArray], FloatArray]) -> None:
    """Draw landmarks and axes of a face at the places that photo points have on the canvas."""
    for x, y in place(face.landmarks):
        pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill=_MARKS)
    start = place(face.anchor)
    for axis, colour in enumerate(_AXES):
        end = place(face.anchor + _AXIS * face.unit * face.rotation[:2, axis])
        pen.line((*start, *end), fill=colour, width=3)
