"""Evaluation of a head pose network on pictures with known cameras."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.camera import FOCAL, TARGET
from triptych.nn.head_pose_network import HeadPose, HeadPoseNetwork
from triptych.ops.colour import to_uint8
from triptych.photos.detectors.face import Face
from triptych.photos.detectors.head_pose import HeadPoseFinder
from triptych.photos.detectors.rotations import angle_of

if TYPE_CHECKING:
    from triptych.training.landmarks.landmark_shards import LandmarkShards

_AXIS = 0.12  # drawn length of a head axis, world units
_MOST_HEADS = 40


def check_head_pose(
    network: HeadPoseNetwork, source: LandmarkShards, *, every_variant: bool
) -> dict[str, float]:
    """Detect the head in whole pictures and compare its pose with the known camera.

    Args:
        network: The network.
        source: Held-out heads.
        every_variant: Cycle over all variants; otherwise use the original ones.

    Returns:
        Median and 90 % quantile of the rotation error in degrees, median errors of the position
        (share of the picture), of the size and of the landmarks (share of the face width), and
        the share of pictures in which a head was found.
    """
    finder = HeadPoseFinder(network)
    errors = []
    pictures = 0
    for head in range(min(_MOST_HEADS, len(source.shards))):
        variants = source.landmarks.shape[1] if every_variant else 1
        for view in range(source.shards.num_views):
            variant = (head + view) % variants
            one = source.image(head, variant, view)
            faces = finder.find(to_uint8(one.image)[0].numpy())
            pictures += 1
            if faces:
                truth = np.array(one.cam2world[0].double())
                marks = source.landmarks[head, variant].astype(np.float64)
                errors.append(pose_errors(faces[0], truth, marks, source.shards.size))
    if not errors:
        return {"found": 0.0}
    rotation, place, size, landmarks = np.array(errors).T
    return {
        "rotation_deg_median": _rounded(np.median(rotation)),
        "rotation_deg_90": _rounded(np.quantile(rotation, 0.9)),
        "place_median": _rounded(np.median(place)),
        "size_median": _rounded(np.median(size)),
        "landmarks_median": _rounded(np.median(landmarks)),
        "found": _rounded(len(errors) / pictures),
    }


def pose_errors(
    face: Face,
    cam2world: NDArray[np.float64],
    landmarks: NDArray[np.float64] | None,
    size: int,
) -> tuple[float, float, float, float]:
    """Compare a face with the camera that took the picture.

    Args:
        face: The detected face.
        cam2world: The camera [4, 4], which looks at `camera.TARGET`.
        landmarks: World positions [k, 3] of the landmarks, if they are known.
        size: Side of the picture in pixels.

    Returns:
        Rotation error in degrees, error of the anchor in picture widths, relative error of the
        size, mean landmark error in face widths (0 if unknown).
    """
    world2camera = cam2world[:3, :3].T
    depth = float((world2camera @ (np.array(TARGET) - cam2world[:3, 3]))[2])
    place = float(np.linalg.norm(face.anchor / size - 0.5))
    unit = FOCAL * size / depth
    marks = 0.0
    if landmarks is not None:
        seen = (landmarks - cam2world[:3, 3]) @ cam2world[:3, :3]
        truth = (FOCAL * seen[:, :2] / seen[:, 2:] + 0.5) * size
        marks = float(np.linalg.norm(face.landmarks - truth, axis=1).mean()) / face.width
    return (
        math.degrees(angle_of(face.rotation @ world2camera.T)),
        place,
        abs(math.log(face.unit / unit)),
        marks,
    )


def draw_poses(window: Tensor, pose: HeadPose) -> Tensor:
    """Draw landmarks and head axes (red x, green y, blue z) over windows [n, 3, s, s]."""
    from PIL import Image, ImageDraw

    size = window.shape[-1]
    drawn = []
    for index, pixels in enumerate(to_uint8(window).numpy()):
        picture = Image.fromarray(pixels)
        pen = ImageDraw.Draw(picture)
        for x, y in ((pose.landmarks[index] + 0.5) * size).tolist():
            pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill="yellow")
        start = (pose.anchor[index] + 0.5) * size
        length = _AXIS * float(pose.log_scale[index].exp()) * size
        for axis, colour in enumerate(("red", "lime", "blue")):
            end = start + length * pose.rotation[index, :2, axis]
            pen.line((*start.tolist(), *end.tolist()), fill=colour, width=2)
        drawn.append(np.asarray(picture))
    pictures = torch.from_numpy(np.stack(drawn))
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 4)
