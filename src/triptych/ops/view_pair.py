"""A view as it was made beside the view as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ViewPair:
    """A view as it was made and as it should be, each [b, 3, h, w] in [-1, 1].

    Attributes:
        made: The reconstruction.
        true: The picture.
        whole: Whether the whole head is seen, so that one can tell who it is.
    """

    pred: Tensor
    true: Tensor
    whole: bool = True
