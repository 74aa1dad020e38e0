"""A rendered view and its target."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ViewPair:
    """A rendered view and its target, each [b, 3, h, w] in [-1, 1].

    Attributes:
        pred: The reconstruction.
        true: The target picture.
        whole: Whether the whole head is visible, which identity features need.
    """

    pred: Tensor
    true: Tensor
    whole: bool = True
