"""A set of pictures with maps of classes at several sizes, as CNeRF's training reads them.

The folder:

    set.json            sizes, names of regions, which classes make which region, dilation
    images_64/00000.png pictures of a size, numbered
    masks_64/00000.png  their maps of classes, 8-bit grey
    lmdb/, mask_64/     only with the lmdb form: what the published code reads
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.files import read_json
from triptych.ops.colour import from_uint8
from triptych.systems.compose.region_masks import ClassGroup, RegionTable, region_masks

SET_FILE = "set.json"


@dataclass(frozen=True)
class SetDescription:
    """What `set.json` says.

    Attributes:
        count: Pictures.
        sizes: Their sides in pixels, the largest first.
        regions: Names of the regions.
        table: Which classes make which region, and how far they are widened.
        scaled_dilation: Widen in proportion to the size; see `region_masks.region_masks`.
    """

    count: int
    sizes: tuple[int, ...]
    regions: tuple[str, ...]
    table: RegionTable
    scaled_dilation: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        values = to_dict(self)
        values["table"] = [[to_dict(group) for group in groups] for groups in self.table]
        return values

    @classmethod
    def from_json(cls, values: Any, name: str) -> SetDescription:
        """Read what `to_json` returned.

        Raises:
            UserError: It is something else.
        """
        try:
            table = tuple(
                tuple(from_dict(ClassGroup, group) for group in groups)
                for groups in values["table"]
            )
            rest = {key: value for key, value in values.items() if key != "table"}
            found = cls(**{**rest, "sizes": tuple(rest["sizes"]), "table": table})
            found = cls(
                int(found.count),
                tuple(int(size) for size in found.sizes),
                tuple(str(region) for region in rest["regions"]),
                table,
                bool(found.scaled_dilation),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{name} is no set of regions; make one with triptych data regions"
            ) from error
        if found.count < 1 or not found.sizes or len(found.regions) != len(table):
            raise UserError(f"{name} names no pictures, no sizes, or other regions than its table")
        return found


class RegionSet:
    """Reads a set.

    Args:
        folder: Its folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        file = self._folder / SET_FILE
        self.description = SetDescription.from_json(read_json(file), str(file))

    def __len__(self) -> int:
        return self.description.count

    def check_size(self, size: int) -> None:
        """Raise UserError unless the set has pictures of a size."""
        if size not in self.description.sizes:
            have = ", ".join(map(str, self.description.sizes))
            raise UserError(f"{self._folder} has pictures of {have} pixels; expected {size}")

    def get(self, index: int, size: int, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
        """Return a picture [3, h, w] in [-1, 1] and its masks [k, h, w] of 0 and 1.

        Args:
            index: Which.
            size: Its side in pixels, one of the set's.
            mirrored: Turn left to right; classes of left and right are one region.
        """
        pixels = _pixels(self._folder / f"images_{size}" / f"{index:05d}.png", (size, size, 3))
        classes = _pixels(self._folder / f"masks_{size}" / f"{index:05d}.png", (size, size))
        if mirrored:
            pixels, classes = pixels[:, ::-1].copy(), classes[:, ::-1].copy()
        said = self.description
        masks = region_masks(classes, said.table, scaled=said.scaled_dilation)
        return from_uint8(torch.from_numpy(pixels)[None])[0], torch.from_numpy(masks).float()


def _pixels(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.size != (shape[1], shape[0]):
                raise ValueError(f"it is {image.width} x {image.height}")
            pixels = np.array(image.convert("RGB" if len(shape) == 3 else "L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"cannot read {path} of a set of regions: {error}") from error
    return pixels
