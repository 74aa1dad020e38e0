"""`triptych data regions`: pictures with masks of regions, for the training of CNeRF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.runs import console


@dataclass(frozen=True)
class RegionSets:
    """Write pictures and masks of regions at all sizes that CNeRF's training needs.

    Masks are maps of classes: files NAME.png or NAME.npy, or CelebAMask-HQ's 00012_hair.png. Those
    of avatars are exact: take the folders images and regions that triptych data avatars leaves, and
    the classes avatar. A stopped run continues.
    """

    pictures: Annotated[Path, tyro.conf.Positional]
    """Folder of pictures."""
    masks: Path
    """Folder of their masks."""
    out: Path
    """Folder of the set."""
    classes: str = "celebamask"
    """What the numbers in masks mean: celebamask (19 classes), bisenet (the order of common face
    parsers), avatar (nine regions), or a file {"their number": CelebAMask-HQ's, ...} (.json)."""
    sizes: tuple[int, ...] = (512, 64)
    """Sides in pixels: of stage 2, and of stage 1."""
    dilation: Literal["published", "scaled"] = "published"
    """How far small regions are widened: by pixels whatever the size, or in proportion to 512."""
    lmdb: bool = False
    """Write lmdb and mask_SIZE/NNNNN.npy too, which the published code reads; needs lmdb."""
    overwrite: bool = False
    """Replace another set in the folder."""

    def run(self) -> None:
        """Do the work."""
        from triptych.systems.compose.data.class_maps import numbering
        from triptych.systems.compose.data.writing import write_region_set

        numbers = numbering(self.classes)
        with console.stages() as report:
            write_region_set(
                self.pictures,
                self.masks,
                self.out,
                numbers,
                sizes=self.sizes,
                scaled_dilation=self.dilation == "scaled",
                as_lmdb=self.lmdb,
                overwrite=self.overwrite,
                progress=lambda done, total: report("pictures", done, total),
            )
        console.result(str(self.out))
