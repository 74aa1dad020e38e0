"""The semantic regions of a portrait: names, order, colours, and a person's words for them.

Which index is which region is data of a model. CNeRF's documentation says 3 is the brow and 4 the
mouth; its data set stacks them the other way round, so every model trained with its code has the
mouth at 3. The avatar renderer has the documented order.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor

from triptych.errors import UserError

BACKGROUND = "background"
PUBLISHED_ORDER = (
    "background",
    "face",
    "eyes",
    "mouth",
    "brows",
    "nose",
    "ears",
    "hair",
    "neck-cloth",
)
AVATAR_ORDER = (
    "background",
    "face",
    "eyes",
    "brows",
    "mouth",
    "nose",
    "ears",
    "hair",
    "neck-cloth",
)
PALETTE = (
    (0, 0, 0),
    (239, 234, 90),
    (44, 105, 154),
    (4, 139, 168),
    (13, 179, 158),
    (131, 227, 119),
    (185, 231, 105),
    (107, 137, 198),
    (241, 196, 83),
)
"""Colours of CNeRF's segmentation pictures, by index."""


def region_index(name: str, names: Sequence[str]) -> int:
    """Return the index of a region by its name.

    Raises:
        UserError: There is no such region; the closest name is suggested.
    """
    if name in names:
        return names.index(name)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UserError(f"unknown region '{name}'; expected one of {', '.join(names)}{hint}")


def region_indices(regions: Sequence[str], names: Sequence[str], what: str) -> tuple[int, ...]:
    """Return the indices of several regions, in the order of the model.

    Args:
        regions: Names.
        names: All names of the model.
        what: Where they were given, for the message.

    Raises:
        UserError: There is none, one is unknown or given twice.
    """
    if not regions:
        raise UserError(f"{what}: got no region; expected one or more of {', '.join(names)}")
    found = [region_index(name, names) for name in regions]
    for name in regions:
        if list(regions).count(name) > 1:
            raise UserError(f"{what}: region '{name}' is given twice; give each region once")
    return tuple(sorted(found))


def region_colours(shares: Tensor) -> Tensor:
    """Return the segmentation picture of shares [v, k, h, w] as bytes [v, 3, h, w].

    Each pixel has the colour of the region with the largest share, in [0, 255].
    """
    palette = torch.tensor(PALETTE, dtype=torch.uint8, device=shares.device)
    return palette[shares.argmax(dim=1) % len(PALETTE)].permute(0, 3, 1, 2)
