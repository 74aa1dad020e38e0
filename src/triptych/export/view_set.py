"""Views of a portrait with their cameras, as trainers of radiance fields and of EG3D read them.

images/00000.png ...   views with opacity
transforms.json        nerfstudio's (and instant-ngp's) list of them
dataset.json           EG3D's labels: cam2world and intrinsics, 25 numbers a view
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from triptych.arguments import checked
from triptych.camera import Camera
from triptych.errors import check_whole
from triptych.export.pictures import save_png, transparent_picture
from triptych.files import make_writable_folder, write_json
from triptych.portrait import Portrait
from triptych.progress import Step, no_progress

NUM_VIEWS = 60
_HIGHEST = math.radians(40)
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@checked
def view_set_angles(num_views: int = NUM_VIEWS) -> tuple[torch.Tensor, torch.Tensor]:
    """Return yaw and pitch [n] of views spread evenly around a head, the first from the front.

    They lie on a spiral of golden angles, up to 40 degrees above and below the horizon.
    """
    check_whole("number of views", num_views, 1, 10_000)
    index = torch.arange(num_views, dtype=torch.float64)
    yaw = (index * _GOLDEN_ANGLE + math.pi) % (2 * math.pi) - math.pi
    height = (2 * ((index + num_views // 2) % num_views) + 1) / num_views - 1
    pitch = torch.asin(height * math.sin(_HIGHEST))
    pitch[0] = 0.0
    return yaw, pitch


@checked
def save_view_set(
    folder: str | Path,
    portrait: Portrait,
    *,
    num_views: int = NUM_VIEWS,
    size: int | None = None,
    supersampling: int = 1,
    step: Step | None = None,
) -> None:
    """Write views from all around and their cameras; the lists come last.

    Args:
        folder: Where to; it is made.
        portrait: The portrait.
        num_views: Views, 1 to 10,000.
        size: Side of a view in pixels; the portrait's `picture_size` by default.
        supersampling: See `Portrait.render`.
        step: Called after each view.
    """
    place = Path(folder)
    make_writable_folder(place / "images")
    cameras = portrait.orbit(*view_set_angles(num_views))
    size = portrait.picture_size if size is None else size
    names = [f"images/{index:05d}.png" for index in range(num_views)]
    for index, name in enumerate(names):
        view = portrait.render(cameras[index], size, supersampling=supersampling)
        save_png(place / name, transparent_picture(view, portrait.rendering.background))
        (step or no_progress)()
    labels = [[name, label] for name, label in zip(names, cameras.label25().tolist(), strict=True)]
    write_json(place / "dataset.json", {"labels": labels})
    write_json(place / "transforms.json", transforms(cameras, names, size))


def transforms(cameras: Camera, names: list[str], size: int) -> dict[str, Any]:
    """Return nerfstudio's list: cameras of OpenGL (y up, z backwards), intrinsics in pixels."""
    to_opengl = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    matrices = (cameras.cam2world.cpu().float() @ to_opengl).tolist()
    intrinsics = (cameras.intrinsics[0].cpu().double() * size).tolist()
    return {
        "camera_model": "OPENCV",
        "w": size,
        "h": size,
        "fl_x": intrinsics[0][0],
        "fl_y": intrinsics[1][1],
        "cx": intrinsics[0][2],
        "cy": intrinsics[1][2],
        "frames": [
            {"file_path": name, "transform_matrix": matrix}
            for name, matrix in zip(names, matrices, strict=True)
        ],
    }
