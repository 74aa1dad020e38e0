"""How much of a style is applied, to the shape and to the surface."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triptych.config import check_fields
from triptych.models.styled_layers import Part

LARGEST_STRENGTH = 2.0


@dataclass(frozen=True)
class StyleStrength:
    """Strength of a style: a factor s_d of a channel becomes 1 + strength * (s_d - 1).

    0 leaves the head untouched, 1 is the style as it was learned, up to 2 exaggerates it.

    Attributes:
        geometry: Of the coarse layers, which decide shapes.
        appearance: Of the fine layers and the super-resolution network.

    Raises:
        UserError: One is out of range.
    """

    geometry: float = 1.0
    appearance: float = 1.0

    def __post_init__(self) -> None:
        limits = (0.0, LARGEST_STRENGTH)
        check_fields(self, geometry=limits, appearance=limits)

    @classmethod
    def chosen(
        cls, strength: float = 1.0, geometry: float | None = None, appearance: float | None = None
    ) -> StyleStrength:
        """Return one strength for both parts, unless a part has its own."""
        return cls(
            strength if geometry is None else geometry,
            strength if appearance is None else appearance,
        )

    def of(self, part: Part) -> float:
        """Return the strength of a part."""
        return float(self.geometry if part == "geometry" else self.appearance)

    def blend(self, part: Part, scale: Tensor) -> Tensor:
        """Return factors blended with 1; the same bits at 1, and exactly 1 at 0."""
        amount = self.of(part)
        if amount == 0:
            return torch.ones_like(scale)
        return scale if amount == 1 else 1 + amount * (scale - 1)


FULL_STRENGTH = StyleStrength()
"""The style as it was learned."""
