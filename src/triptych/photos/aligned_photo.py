"""From a face in a photo to the crop and the camera that a model expects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera, camera_at
from triptych.errors import UserError
from triptych.framing import FaceFraming
from triptych.ops.colour import check_images
from triptych.photos.detectors.face import Face, FloatArray, Pixels
from triptych.photos.detectors.rotations import about_x, turn_to_axis
from triptych.photos.detectors.window import Window, cut_window
from triptych.photos.five_point_crop import CANVAS, CROP, CropPlan, plan_crop
from triptych.photos.photo import photo_tensor

_SHOWN_OUTSIDE = 0.02  # a smaller part outside the photo is not worth a note


def check_aligned(image: Tensor, camera: Camera) -> None:
    """Raise UserError unless an image is one square picture in [-1, 1] with one camera."""
    check_images("aligned picture", image)
    if image.shape[0] != 1 or image.shape[2] != image.shape[3]:
        raise UserError(
            f"aligned picture: got {list(image.shape)}; expected one square picture [1, 3, h, h]"
        )
    if len(camera) != 1:
        raise UserError(f"camera of the picture: got {len(camera)} views; expected one")


@dataclass(frozen=True, eq=False)
class AlignedPhoto:
    """A photo cropped as a model expects it, with its camera.

    Attributes:
        image: The crop [1, 3, s, s] in [-1, 1].
        camera: The camera of the crop, one view.
        landmarks: The detector's landmarks in pixels of the crop [k, 2].
        face: The face in the photo.
        window: The part of the photo that the crop shows.
        share_outside: Share of the crop that lies outside the photo, 0..1.
        detector: What found the face.
        notes: What a person should know about this crop.
    """

    image: Tensor
    camera: Camera
    landmarks: FloatArray
    face: Face
    window: Window
    share_outside: float
    detector: str
    notes: tuple[str, ...] = ()

    @property
    def is_photograph(self) -> bool:
        """Whether the picture is known to be a photograph; see `Face`."""
        return self.face.is_photograph


def frame_face(
    pixels: Pixels, face: Face, framing: FaceFraming, size: int = CROP, notes: tuple[str, ...] = ()
) -> AlignedPhoto:
    """Crop a photo round a face and say which camera sees it so.

    Args:
        pixels: The photo, uint8 [h, w, 3].
        face: One of its faces.
        framing: What the model expects.
        size: Side of the crop in pixels.
        notes: What is known about the photo already.
    """
    height, width = pixels.shape[:2]
    fill = round((framing.fill + 1) * 127.5)
    if framing.upright:
        window, camera = head_window(face, framing)
        cut = cut_window(pixels, window, size, fill)
    else:
        plan = plan_crop(face.five, width, height, framing)
        window = plan_window(plan, width, framing)
        cut = cut_planned(pixels, plan, framing, size, fill)
        camera = measured_camera(face, window, framing)
    outside = window.share_outside(width, height)
    if outside > _SHOWN_OUTSIDE:
        notes = (*notes, f"{outside:.0%} of the crop lies outside the photo")
    return AlignedPhoto(
        image=photo_tensor(cut),
        camera=camera,
        landmarks=(window.to_window(face.landmarks) + 0.5) * size,
        face=face,
        window=window,
        share_outside=outside,
        detector=face.detector,
        notes=notes,
    )


def head_window(face: Face, framing: FaceFraming) -> tuple[Window, Camera]:
    """Return the window turned with the head, and the look-at camera that sees it so.

    The camera stands where the view through the anchor meets the framing's sphere.
    """
    rotation = face.upright_rotation() @ about_x(framing.tilt).T
    forward, target = rotation[2], np.array(framing.target)
    along = float(target @ forward)
    distance = along + math.sqrt(along**2 - float(target @ target) + framing.radius**2)
    position = torch.from_numpy(target - distance * forward)
    camera = camera_at(position[None], framing.target, framing.focal)
    return face.window(distance / framing.focal / framing.head_scale), camera


def measured_camera(face: Face, window: Window, framing: FaceFraming) -> Camera:
    """Return the camera of a crop: the face's rotation, the place that its five points ask for.

    The place is brought to the framing's radius from the origin, as EG3D's labels are ("orig").
    """
    # The face's rotation is that of a camera that looks at the anchor; turn it to the crop's axis.
    anchor = np.append(window.to_window(face.anchor), framing.focal)
    rotation = turn_to_axis(anchor).T @ face.rotation @ about_x(framing.tilt).T
    standard = framing.unit * np.array(framing.points) + framing.offset
    shift = _shift_to(standard @ rotation.T, window.to_window(face.five) / framing.focal)
    position = -rotation.T @ shift
    cam2world = np.eye(4)
    cam2world[:3, :3] = rotation.T
    cam2world[:3, 3] = framing.radius * position / np.linalg.norm(position)
    focal = framing.focal
    intrinsics = torch.tensor([[[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]])
    return Camera(torch.from_numpy(cam2world).float()[None], intrinsics)


def plan_window(plan: CropPlan, width: int, framing: FaceFraming) -> Window:
    """Return the part of a photo of some width that the inner square of a crop plan shows."""
    per_pixel = width / plan.width
    middle = CANVAS / 2
    return Window(
        (plan.left + middle) * per_pixel,
        (plan.top + middle) * per_pixel,
        framing.crop_size * per_pixel,
    )


def cut_planned(
    pixels: Pixels, plan: CropPlan, framing: FaceFraming, size: int, fill: int
) -> Pixels:
    """Resize and cut a photo as EG3D's preparation does, without resizing what is cut off.

    The published steps are: the whole photo resized (bicubic), a canvas of 1024 pixels cut out of
    it, its inner square resized (Lanczos). Only the inner square is computed here.
    """
    from PIL import Image

    inner = framing.crop_size
    left, top = (corner + (CANVAS - inner) // 2 for corner in (plan.left, plan.top))
    x0, x1 = max(left, 0), min(left + inner, plan.width)
    y0, y1 = max(top, 0), min(top + inner, plan.height)
    square = Image.new("RGB", (inner, inner), (fill, fill, fill))
    if x0 < x1 and y0 < y1:
        across, down = pixels.shape[1] / plan.width, pixels.shape[0] / plan.height
        box = (x0 * across, y0 * down, x1 * across, y1 * down)
        resampling = Image.Resampling.BICUBIC
        part = Image.fromarray(pixels).resize((x1 - x0, y1 - y0), resampling, box=box)
        square.paste(part, (x0 - left, y0 - top))
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def _shift_to(turned: FloatArray, seen: FloatArray) -> FloatArray:
    """Shift [3] that brings turned points [n, 3] to their projections [n, 2], in least squares."""
    count = len(turned)
    rows = np.zeros((count, 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = 1.0
    rows[:, :, 2] = -seen
    right = seen * turned[:, 2:] - turned[:, :2]
    shift, *_ = np.linalg.lstsq(rows.reshape(-1, 3), right.reshape(-1), rcond=None)
    return np.asarray(shift, np.float64)
