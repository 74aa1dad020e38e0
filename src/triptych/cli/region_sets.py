"""`triptych data regions`: pictures with masks of regions, for the training of CNeRF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from triptych.cli.options import MaybePath
from triptych.errors import UserError
from triptych.runs import console


@dataclass(frozen=True)
class RegionSets:
    """Write pictures and masks of regions at all sizes that CNeRF's training needs.

    Masks are maps of classes: files NAME.png or NAME.npy, or CelebAMask-HQ's 00012_hair.png. Those
    of avatars are exact: take the folders images and regions that triptych data avatars leaves, and
    the classes avatar. Photos without masks need a face parser of your choice. A stopped run
    continues.
    """

    pictures: Annotated[Path, tyro.conf.Positional]
    """Folder of pictures."""
    out: Path
    """Folder of the set."""
    masks: MaybePath = None
    """Folder of their masks; this or --parser is needed."""
    parser: MaybePath = None
    """Folder of a network that makes the masks: semantic segmentation in transformers' format, with
    CelebAMask-HQ's names of classes (config.json, preprocessor_config.json, model.safetensors)."""
    classes: str = "celebamask"
    """What the numbers in --masks mean: celebamask (19 classes), bisenet (the order of common face
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
        if (self.masks is None) == (self.parser is None):
            raise UserError("where do masks come from? give either --masks or --parser")
        from triptych.systems.compose.data.class_maps import numbering
        from triptych.systems.compose.data.face_parser import FaceParser
        from triptych.systems.compose.data.writing import write_region_set

        numbers = numbering(self.classes if self.parser is None else "celebamask")
        masks = self.masks if self.parser is None else FaceParser.from_folder(self.parser)
        assert masks is not None
        with console.stages() as report:
            write_region_set(
                self.pictures,
                masks,
                self.out,
                numbers,
                sizes=self.sizes,
                scaled_dilation=self.dilation == "scaled",
                as_lmdb=self.lmdb,
                overwrite=self.overwrite,
                progress=lambda done, total: report("pictures", done, total),
            )
        console.result(str(self.out))
