"""A folder of aligned pictures with their cameras, in EG3D's format, and optional confidence maps.

dataset.json            {"labels": [[path, 25 camera numbers], ...]}
PATH                    square pictures, all of one size
conf_map/STEM.npy       optional: uncertainty [h, w] of the mirrored picture, >= 0 (unsup3d's maps)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.errors import UserError, shown
from triptych.files import read_json
from triptych.photos.mirror_uncertainty import mirrored_and_upsampled
from triptych.photos.photo import photo_tensor, read_pixels

_LABEL_DIM = 25


class LabelledImages:
    """The pictures of a folder, read when asked for.

    Attributes:
        names: Paths below the folder.
        camera: Their cameras, in the same order.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        labels = _labels(self._folder / "dataset.json")
        self.names = tuple(labels)
        self.camera = Camera.stack(list(labels.values()))

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> Tensor:
        """Return a picture [3, s, s] in [-1, 1].

        Raises:
            UserError: It is missing, broken or not square.
        """
        path = self._folder / self.names[index]
        pixels = read_pixels(path)
        if pixels.shape[0] != pixels.shape[1]:
            raise UserError(f"{path} is {pixels.shape[1]} x {pixels.shape[0]}; expected a square")
        return photo_tensor(pixels)[0]

    def mirror_uncertainty_map(self, index: int, size: int) -> Tensor | None:
        """Return the uncertainty [size, size] of a picture's mirror image; None without a map."""
        path = self._folder / "conf_map" / f"{Path(self.names[index]).stem}.npy"
        if not path.exists():
            return None
        try:
            uncertainty = np.load(path)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read the confidence map {path}: {error}") from error
        if uncertainty.ndim != 2 or not np.isfinite(uncertainty).all() or uncertainty.min() < 0:
            raise UserError(f"{path}: expected finite numbers [h, w] of at least 0")
        return torch.from_numpy(mirrored_and_upsampled(uncertainty, size))


def _labels(path: Path) -> dict[str, Camera]:
    content = read_json(path)
    rows = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path} holds no labels; expected [[path, 25 camera numbers], ...]")
    labels: dict[str, Camera] = {}
    for row in rows:
        whole = isinstance(row, list) and len(row) == 2 and isinstance(row[1], list)
        if not whole or len(row[1]) != _LABEL_DIM:
            raise UserError(f"{path}: got the entry {shown(row)}; expected [path, 25 numbers]")
        labels[str(row[0])] = Camera.from_json(row[1], f"{path}: the camera of {shown(row[0])}")
    return labels
