"""Masks of regions from maps of classes: which classes make a region, and how far it is widened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triptych.errors import UserError
from triptych.systems.compose.regions import AVATAR_ORDER

Bytes = NDArray[np.uint8]

MASK_CLASSES = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear",
    "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""Names of the classes of CelebAMask-HQ, by number."""

PUBLISHED_SIZE = 512
"""The resolution that scaled dilation refers to."""


@dataclass(frozen=True)
class ClassGroup:
    """Classes that belong to a region and are widened alike.

    Attributes:
        classes: Their ids.
        dilation: Side of the square that widens them, in pixels; 1 leaves them.
    """

    classes: tuple[int, ...]
    dilation: int = 1


RegionTable = tuple[tuple[ClassGroup, ...], ...]
"""The groups of each region, in the order of the regions."""

PUBLISHED_TABLE: RegionTable = (
    (ClassGroup((0,)),),
    (ClassGroup((1,)),),
    (ClassGroup((4, 5), 3), ClassGroup((3,))),
    (ClassGroup((10, 11, 12), 3),),
    (ClassGroup((6, 7), 4),),
    (ClassGroup((2,), 3),),
    (ClassGroup((8, 9), 5), ClassGroup((15,))),
    (ClassGroup((13, 14)),),
    (ClassGroup((16, 17, 18)),),
)
"""The order in which CNeRF's data set stacks its masks; see `regions`."""

AVATAR_TABLE: RegionTable = tuple(
    (ClassGroup((number,), {"eyes": 3, "mouth": 3, "brows": 4, "nose": 3, "ears": 5}.get(name, 1)),)
    for number, name in enumerate(AVATAR_ORDER)
)
"""Maps of an avatar's nine regions, widened as the published classes are."""

BISENET_IDS = (0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14)
"""Common face parsers of the BiSeNet form number the same classes otherwise: their id to ours."""


def region_masks(
    classes: Bytes, table: RegionTable = PUBLISHED_TABLE, *, scaled: bool = False
) -> Bytes:
    """Return masks [k, h, w] of 0 and 1; widened ones overlap.

    Args:
        classes: Class of every pixel [h, w].
        table: Which classes make which region.
        scaled: Widen in proportion to the resolution; published dilation counts pixels, whatever
            the resolution, so that it is eight times stronger at 64 pixels than at 512.

    Raises:
        UserError: A class has no region.
    """
    known = {number for groups in table for group in groups for number in group.classes}
    foreign = sorted(set(np.unique(classes).tolist()) - known)
    if foreign:
        raise UserError(
            f"classes of a mask: got {foreign[0]}, which belongs to no region; expected numbers "
            f"of the table, {min(known)} to {max(known)}; map the parser's classes first"
        )
    shrink = classes.shape[0] / PUBLISHED_SIZE if scaled else 1.0
    return np.stack([_region(classes, groups, shrink) for groups in table])


def dilated(mask: Bytes, size: int) -> Bytes:
    """Widen a mask [h, w] of 0 and 1 by a square; an even one reaches further up and left."""
    if size <= 1:
        return mask
    origin = -1 if size % 2 == 0 else 0
    return ndimage.grey_dilation(mask, size=(size, size), origin=origin, mode="constant", cval=0)


def remapped(classes: Bytes, ids: Sequence[int] | Mapping[int, int]) -> Bytes:
    """Return a map of classes under other numbers.

    Args:
        classes: [h, w].
        ids: The number of each old one.

    Raises:
        UserError: An old number has no new one.
    """
    numbers = ids if isinstance(ids, Mapping) else dict(enumerate(ids))
    found = np.unique(classes).tolist()
    foreign = [number for number in found if number not in numbers]
    if foreign:
        raise UserError(
            f"classes of a mask: got {foreign[0]}; expected one of {sorted(numbers)}; name the "
            "parser that made the masks"
        )
    table = np.zeros(max(found) + 1, np.uint8)
    for number in found:
        table[number] = numbers[number]
    return table[classes]


def _region(classes: Bytes, groups: Sequence[ClassGroup], shrink: float) -> Bytes:
    parts = [
        dilated(
            np.isin(classes, group.classes).astype(np.uint8), round(group.dilation * shrink) or 1
        )
        for group in groups
    ]
    return np.maximum.reduce(parts)
